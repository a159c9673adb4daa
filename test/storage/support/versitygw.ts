import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { build } from '../../e2e/support/program.js';
import { storedFiles } from '../../e2e/support/stored-files.js';
import { freePort, ServerProcess } from './child.js';
import { accessKey, Bucket, secretKey } from './s3-server.js';

/**
 * A real S3 server on a folder of its own, which goes with it. It checks signatures, checksums and conditions as Amazon
 * does. The folder has to be on a file system with extended attributes, as ext4 and xfs are.
 */
export class VersityGateway implements AsyncDisposable {
  private constructor(
    readonly url: string,
    private server: ServerProcess,
    private readonly folder: string,
  ) {}

  static async start(): Promise<VersityGateway> {
    const folder = await mkdtemp(join(tmpdir(), 'oci-registry-versitygw-'));
    const url = `http://127.0.0.1:${await freePort()}`;
    try {
      return new VersityGateway(url, await serve(url, folder), folder);
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
  }

  /** Ends the process; what it holds stays. */
  stop(): Promise<void> {
    return this.server[Symbol.asyncDispose]();
  }

  /** Serves again, at the same address, what it held. */
  async restart(): Promise<void> {
    await this.stop();
    this.server = await serve(this.url, this.folder);
  }

  /** A new bucket, empty. */
  makeBucket(): Promise<Bucket> {
    return Bucket.make(this.url);
  }

  /** Makes what a bucket holds as old as that: the objects whose path has the text in it, or all. @param age milliseconds */
  async age({ name }: Bucket, age: number, part = ''): Promise<void> {
    const time = new Date(Date.now() - age);
    const root = join(this.folder, name);
    for (const path of await storedFiles(root)) if (path.includes(part)) await utimes(join(root, path), time, time);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Builds the program, and has a server for as long as a file's tests run. @returns the server, while they do */
export function gatewayForAll(): () => VersityGateway {
  beforeAll(build, 180_000);
  return gatewayForProviders();
}

/** The same for tests whose providers are in their own process. */
export function gatewayForProviders(): () => VersityGateway {
  let server: VersityGateway;
  beforeAll(async () => {
    server = await VersityGateway.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  return () => server;
}

function serve(url: string, folder: string): Promise<ServerProcess> {
  const options = [
    '--port',
    new URL(url).host,
    '--region',
    'us-east-1',
    '--quiet',
    '--keep-alive',
    '--health',
    '/health',
  ];
  const env = { PATH: process.env.PATH ?? '', ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey };
  return ServerProcess.start('versitygw', [...options, 'posix', folder], env, `${url}/health`);
}
