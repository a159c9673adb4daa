import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../processes/port.js';
import { Server } from '../processes/server.js';
import type { Scope } from '../scope.js';
import { accessKey, Bucket, region, s3Client, secretKey } from './bucket.js';
import { slowLink } from './slow-link.js';

/**
 * versitygw over a folder of its own, with a bucket for everybody who asks. The folder has to be on a file system with
 * extended attributes, as ext4 and xfs are.
 */
export class S3Server {
  private readonly buckets = new Map<string, Promise<Bucket>>();
  private readonly client;

  private constructor(private readonly endpoint: string) {
    this.client = s3Client(endpoint);
  }

  /**
   * @param parent the folder below which its own is made; removed when the scope closes.
   * @param bytesPerSecond what goes up together, at most; as much as the machine gives unless given.
   */
  static async start(scope: Scope, parent: string, bytesPerSecond?: number): Promise<S3Server> {
    const folder = await mkdtemp(join(parent, 's3-'));
    await scope.defer(() => rm(folder, { recursive: true, force: true }));
    const objects = join(folder, 'objects');
    await mkdir(objects);
    const address = `127.0.0.1:${await freePort()}`;
    const credentials = ['--access', accessKey, '--secret', secretKey, '--region', region];
    const { origin } = await Server.start(scope, {
      command: 'versitygw',
      args: ['--port', address, ...credentials, '--quiet', '--keep-alive', '--health', '/health', 'posix', objects],
      origin: `http://${address}`,
      readyPath: '/health',
      logFile: join(folder, 'log'),
    });
    const link = bytesPerSecond === undefined ? undefined : await slowLink(scope, new URL(origin), bytesPerSecond);
    const s3 = new S3Server(link?.origin ?? origin);
    await scope.defer(() => s3.client.destroy());
    return s3;
  }

  /** The bucket of one user, made when it is first asked for. */
  bucketOf(user: string): Promise<Bucket> {
    const name = user.replace(/[^a-z0-9]+/g, '-').replace(/-$/, '');
    const known = this.buckets.get(name);
    if (known !== undefined) return known;
    const bucket = Bucket.create(this.client, this.endpoint, name);
    this.buckets.set(name, bucket);
    return bucket;
  }
}
