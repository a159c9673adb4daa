import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { inject } from 'vitest';
import { countingProxy, type Disguise } from './counting-proxy.js';
import { freePort, statusOf } from './http.js';
import { Daemon, run } from './process.js';
import type { Scratch } from './scratch.js';
import { SwitchableServer } from './switchable-server.js';
import { type Account, TokenServer } from './token-server.js';
import { Traffic } from './traffic.js';

export type Authentication = 'token' | 'basic';

/** The real docker-registry with the images in it, behind a proxy that counts what it is asked. */
export class UpstreamRegistry {
  /** The account that may only pull; its password is new in every run and must appear nowhere. */
  readonly reader: Account = { username: 'mirror', password: secret(), actions: ['pull'] };
  readonly traffic = new Traffic();
  /** Makes it respond like registries that are not this one. */
  disguise: Disguise = {};
  private readonly writer: Account = { username: 'pusher', password: secret(), actions: ['pull', 'push'] };
  private front!: SwitchableServer;
  private tokens: TokenServer | undefined;

  private port = 0;

  private constructor(private readonly scratch: Scratch) {}

  static async start(scratch: Scratch, authentication: Authentication): Promise<UpstreamRegistry> {
    const upstream = new UpstreamRegistry(scratch);
    const registryPort = await upstream.startRegistry(authentication);
    upstream.port = registryPort;
    upstream.front = await SwitchableServer.start(
      countingProxy(registryPort, upstream.traffic, () => upstream.disguise),
    );
    scratch.onClose(() => upstream.front.close());
    return upstream;
  }

  /** The address the mirror is told. */
  get host(): string {
    return `127.0.0.1:${this.front.port}`;
  }

  /** The registry itself, which nothing counts, and who may push to it. */
  get origin(): { address: string; writer: Account } {
    return { address: `127.0.0.1:${this.port}`, writer: this.writer };
  }

  /** Where its tokens come from, for the mirror's configuration. */
  get tokenRealms(): string[] {
    return this.tokens ? [new URL(this.tokens.realm).host] : [];
  }

  /** What must never be seen in a log: the password, as it is and as it travels, and every token. */
  get secrets(): string[] {
    const { username, password } = this.reader;
    return [password, Buffer.from(`${username}:${password}`).toString('base64'), ...(this.tokens?.issued ?? [])];
  }

  /** Connections to the registry or its token server that were tried while they were down. */
  get knocks(): number {
    return this.front.knocks + (this.tokens?.listener.knocks ?? 0);
  }

  async goDown(): Promise<void> {
    await this.front.goDown();
    await this.tokens?.listener.goDown();
  }

  private async startRegistry(authentication: Authentication): Promise<number> {
    const port = await freePort();
    // Linked, not copied: a registry replaces files, and each client's has its own.
    await run('cp', ['--archive', '--link', inject('filledRegistry'), this.scratch.file('registry')]);
    const configuration = {
      version: '0.1',
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: this.scratch.file('registry') } },
      // Relative URLs, because what the registry believes to be its address is not the proxy's.
      http: { addr: `127.0.0.1:${port}`, relativeurls: true, secret: secret() },
      auth: authentication === 'token' ? await this.tokenAuthentication() : await this.basicAuthentication(),
    };
    const file = this.scratch.file('registry.json');
    await writeFile(file, JSON.stringify(configuration));
    const daemon = await Daemon.start('docker-registry', ['serve', file], {
      log: this.scratch.file('registry.log'),
      ready: async () => (await statusOf({ host: '127.0.0.1', port, path: '/v2/' })) === 401,
    });
    this.scratch.onClose(() => daemon.stop());
    return port;
  }

  private async tokenAuthentication(): Promise<object> {
    const tokens = await TokenServer.start(this.scratch, [this.reader, this.writer], this.traffic);
    this.tokens = tokens;
    const { ISSUER: issuer, SERVICE: service } = TokenServer;
    return { token: { realm: tokens.realm, service, issuer, rootcertbundle: tokens.certificateFile } };
  }

  private async basicAuthentication(): Promise<object> {
    const path = this.scratch.file('htpasswd');
    const lines = [this.reader, this.writer].map(({ username, password }) =>
      run('htpasswd', ['-Bbn', username, password]),
    );
    await writeFile(path, (await Promise.all(lines)).join('\n'));
    return { htpasswd: { realm: 'basic.test', path } };
  }
}

function secret(): string {
  return randomBytes(12).toString('hex');
}
