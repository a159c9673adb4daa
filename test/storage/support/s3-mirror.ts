import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from '../../../src/app.factory.js';
import { HostedSettings } from '../../../src/config/hosted/hosted.settings.js';
import { ServerSettings } from '../../../src/config/server.settings.js';
import type { S3Settings } from '../../../src/config/storage.settings.js';
import { UpstreamSettings } from '../../../src/config/upstream.settings.js';
import { DownloadsService } from '../../../src/registry/mirrored/downloads/downloads.service.js';
import type { FakeRegistry } from '../../fakes/fake-registry.js';

/** The server on a real socket and a bucket, with one registry behind it: `registry.test`. */
export class S3Mirror implements AsyncDisposable {
  private constructor(
    readonly app: NestFastifyApplication,
    private readonly origin: string,
    private readonly lines: string[],
  ) {}

  static async start(
    storage: S3Settings,
    registry: FakeRegistry,
    server: Partial<ServerSettings> = {},
    behaviour: Partial<UpstreamSettings> = {},
    hosted: readonly string[] = [],
  ) {
    const lines: string[] = [];
    const log = new Writable({
      write(line: Buffer, _encoding, done) {
        lines.push(line.toString());
        done();
      },
    });
    const upstream = { namespace: 'registry.test', host: registry.host, tls: false, ...behaviour };
    const settings = {
      server: Object.assign(new ServerSettings(), server),
      storage,
      upstreams: [Object.assign(new UpstreamSettings(), upstream)],
      hosted: hosted.map((namespace) => Object.assign(new HostedSettings(), { namespace })),
    };
    const app = await createApp(settings, { log });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    return new S3Mirror(app, `http://127.0.0.1:${port}`, lines);
  }

  get log(): string {
    return this.lines.join('');
  }

  /** @param path below `/v2/registry.test/`. */
  urlOf(path: string): string {
    return `${this.origin}/v2/registry.test/${path}`;
  }

  /** @param path below `/v2/`. */
  addressOf(path: string): string {
    return `${this.origin}/v2/${path}`;
  }

  /** Waits until nothing is downloaded, and everything that was is stored. */
  idle(): Promise<void> {
    return this.app.get(DownloadsService).idle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.idle();
    this.app.getHttpServer().closeAllConnections();
    await this.app.close();
  }
}
