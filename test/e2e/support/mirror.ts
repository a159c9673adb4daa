import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Writable } from 'node:stream';
import type { AddressInfo } from 'node:net';
import supertest from 'supertest';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp, type AppOptions } from '../../../src/app.factory.js';
import { readAccess } from '../../../src/config/access/access-file.js';
import { ConfigurationError, type Problem } from '../../../src/config/configuration-error.js';
import { HostedSettings } from '../../../src/config/hosted/hosted.settings.js';
import { readNamespaceFiles, readWebhookFile } from '../../../src/config/reload/followed.files.js';
import { SettingFiles } from '../../../src/config/reload/setting.files.js';
import { ServerSettings } from '../../../src/config/server.settings.js';
import { FilesystemSettings } from '../../../src/config/storage.settings.js';
import type { Secret } from '../../../src/config/values/secret.js';
import { readSettingFile } from '../../../src/config/files/setting-file.js';
import { UpstreamSettings } from '../../../src/config/upstream.settings.js';
import { readWebhooks } from '../../../src/config/webhooks/webhooks-file.js';
import { DrainService } from '../../../src/distribution/server/drain.service.js';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { DownloadsService } from '../../../src/registry/mirrored/downloads/downloads.service.js';

/** Settings of an upstream, with its password as text. */
export type UpstreamOptions = Omit<Partial<UpstreamSettings>, 'password'> & { readonly password?: string | Secret };

export interface MirrorOptions extends AppOptions {
  readonly server?: Partial<ServerSettings>;
  readonly upstreams?: readonly UpstreamOptions[];
  /** Namespaces to push to. */
  readonly hosted?: readonly Partial<HostedSettings>[];
  /** The access file; read from `server.accessFile`, and again when that changes, unless given. */
  readonly access?: string;
  /** The webhooks file. */
  readonly webhooks?: string;
  /** Folder of an earlier mirror, for restarts; it is then left for its owner to remove. */
  readonly root?: string;
  /** Where to listen; a free port unless it has to be known before. */
  readonly port?: number;
}

/** What the files say that the server follows, as the command line reads them. */
function readFollowed(server: ServerSettings) {
  const { upstreamConfigFile, upstreamCredentialsFile, webhooksFile } = server;
  if ([upstreamConfigFile, upstreamCredentialsFile, webhooksFile].every((file) => file === undefined)) return {};
  const files = new SettingFiles();
  const problems: Problem[] = [];
  const { namespaces } = files.record(() => readNamespaceFiles(server, problems));
  const { webhooks } = files.record(() => readWebhookFile(server, problems));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { ...namespaces, ...(webhooks && { webhooks }), files: files.marks };
}

/** The server on a real socket and a real folder, as `main` runs it, with its checks for what must hold after every test. */
export class Mirror implements AsyncDisposable {
  private constructor(
    readonly app: NestFastifyApplication,
    readonly root: string,
    readonly url: string,
    private readonly lines: string[],
    private readonly ownsRoot: boolean,
  ) {}

  static async start({
    server,
    upstreams = [],
    hosted = [],
    access: text,
    webhooks,
    root,
    port: wanted = 0,
    ...options
  }: MirrorOptions = {}): Promise<Mirror> {
    const access = server?.accessFile === undefined ? text : await readFile(server.accessFile, 'utf8');
    const folder = root ?? (await mkdtemp(join(tmpdir(), 'oci-registry-e2e-')));
    const lines: string[] = [];
    const log = new Writable({
      write(line: Buffer, _encoding, done) {
        lines.push(line.toString());
        done();
      },
    });
    const settings = {
      server: Object.assign(new ServerSettings(), server),
      storage: Object.assign(new FilesystemSettings(), { root: folder }),
      upstreams: upstreams.map((upstream) => Object.assign(new UpstreamSettings(), { tls: false }, upstream)),
      hosted: hosted.map((entry) => Object.assign(new HostedSettings(), entry)),
      ...(access !== undefined && { access: readAccess(access) }),
      ...(webhooks !== undefined && { webhooks: readWebhooks(webhooks, readSettingFile) }),
      ...(server && readFollowed(Object.assign(new ServerSettings(), server))),
    };
    // The project `framework` runs every suite without responses before the framework.
    const isFrameworkOnly = process.env.FRAMEWORK_ONLY === 'true';
    const app = await createApp(settings, { log, isFrameworkOnly, ...options });
    await app.listen(wanted, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const scheme = settings.server.tlsCert === undefined ? 'http' : 'https';
    return new Mirror(app, folder, `${scheme}://127.0.0.1:${port}`, lines, root === undefined);
  }

  get request() {
    return supertest(this.url);
  }

  /** Everything logged so far. */
  get log(): string {
    return this.lines.join('');
  }

  /** Waits until nothing is downloaded, sent or swept. */
  async settled(): Promise<void> {
    await this.app.get(DownloadsService).idle();
    const deadline = Date.now() + 5_000;
    const isBusy = () => this.app.get(DrainService).count > 0 || this.app.get(SweepService).status.running;
    while (isBusy()) {
      if (Date.now() > deadline) throw new Error('a response is still being sent, or a sweep runs');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Every stored object hashes to its name, and nothing is being written. */
  async assertSound(): Promise<void> {
    const files = await readdir(this.root, { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name);
      if (file.parentPath.endsWith('/ingest')) throw new Error(`${path} was left behind`);
      const algorithm = /\/blobs\/(sha256|sha512)\/[0-9a-f]{2}$/.exec(file.parentPath)?.[1];
      // What was set aside is not sound, and what has another name is not ours.
      const isContent = file.parentPath.startsWith(join(this.root, 'blobs')) && /^[0-9a-f]{64,}$/.test(file.name);
      if (!algorithm || !isContent) continue;
      const hex = createHash(algorithm)
        .update(await readFile(path))
        .digest('hex');
      if (hex !== file.name) throw new Error(`${path} has other content than its name says`);
    }
  }

  /** Ends the server and checks that it leaves nothing open. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.settled();
      await this.assertSound();
      await this.assertNothingOpen();
    } finally {
      await this.stop();
      if (this.ownsRoot) await rm(this.root, { recursive: true, force: true });
    }
  }

  /** Stops the server and leaves its folder. */
  async stop(): Promise<void> {
    this.app.getHttpServer().closeAllConnections();
    await this.app.close();
  }

  /** Files stay open for a moment after their last reader. */
  private async assertNothingOpen(): Promise<void> {
    let leaked = await this.openFiles();
    for (let left = 40; leaked.length > 0 && left > 0; left -= 1) {
      await sleep(50);
      leaked = await this.openFiles();
    }
    if (leaked.length > 0) throw new Error(`files are still open: ${leaked.join(', ')}`);
  }

  private async openFiles(): Promise<string[]> {
    const open = await readdir('/proc/self/fd').catch(() => []);
    const targets = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    return targets.filter((target) => target.startsWith(this.root));
  }
}
