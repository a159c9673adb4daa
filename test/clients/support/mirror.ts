import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificate } from '../../fixtures/certificate.js';
import { freePort, statusOf } from './http.js';
import { Daemon, run } from './process.js';
import type { Scratch } from './scratch.js';
import type { UpstreamRegistry } from './upstream-registry.js';

const PROJECT = join(import.meta.dirname, '../../..');

export interface MirrorOptions {
  readonly namespaces: readonly string[];
  readonly options?: readonly string[];
  /** It speaks https. */
  readonly isSecure?: boolean;
}

/** The program under test, started the way a user starts it, with an empty store. */
export class Mirror {
  private constructor(
    private readonly port: number,
    private readonly scratch: Scratch,
    private readonly options: readonly string[],
    /** Folder of the authority's certificate, for clients, when the mirror speaks https. */
    readonly authority: string | undefined,
    private daemon: Daemon | undefined,
  ) {}

  /** Starts a mirror that serves the upstream under each of the namespaces. */
  static async start(
    scratch: Scratch,
    upstream: UpstreamRegistry,
    { namespaces, options = [], isSecure = false }: MirrorOptions,
  ): Promise<Mirror> {
    await run(process.execPath, [join(PROJECT, 'scripts/build-when-needed.mjs')], { directory: PROJECT });
    await writeFile(scratch.file('upstreams.yaml'), namespaces.map((name) => upstreamEntry(name, upstream)).join(''));
    const authority = isSecure ? await scratch.folder('authority') : undefined;
    const tls = authority === undefined ? [] : await certificate(scratch, authority);
    const mirror = new Mirror(await freePort(), scratch, [...options, ...tls], authority, undefined);
    scratch.onClose(() => mirror.stop());
    await mirror.launch();
    return mirror;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `${this.authority === undefined ? 'http' : 'https'}://${this.address}`;
  }

  get root(): string {
    return this.scratch.file('mirror');
  }

  log(): Promise<string> {
    return readFile(this.scratch.file('mirror.log'), 'utf8');
  }

  async logTail(): Promise<string> {
    return (await this.log()).split('\n').slice(-60).join('\n');
  }

  /** Ends the mirror as an operator does and starts it again on what it has stored. */
  async restart(): Promise<void> {
    const code = await this.stop();
    if (code !== 0) throw new Error(`the mirror ended with ${code ?? 'a signal'} instead of 0 when asked to end`);
    await this.launch();
  }

  /** Starts it again with everything that can grow old being too old: each answer has to be confirmed upstream. */
  async restartWithEverythingExpired(): Promise<void> {
    const file = this.scratch.file('upstreams.yaml');
    const settings = (await readFile(file, 'utf8')).replaceAll('invalidation_time: 1h', 'invalidation_time: 0s');
    await writeFile(file, settings.replaceAll('recheck_time: 1h', 'recheck_time: 0s'));
    await this.restart();
  }

  private async ca(): Promise<string | undefined> {
    return this.authority === undefined ? undefined : readFile(join(this.authority, 'ca.crt'), 'utf8');
  }

  private async stop(): Promise<number | null> {
    return (await this.daemon?.stop()) ?? null;
  }

  private async launch(): Promise<void> {
    const options = ['--listen', this.address, '--upstream-config-file', this.scratch.file('upstreams.yaml')];
    const storage = ['filesystem', '--root', this.root];
    const args = [join(PROJECT, 'dist/main'), ...options, ...this.options, ...storage];
    this.daemon = await Daemon.start(process.execPath, args, {
      log: this.scratch.file('mirror.log'),
      ready: async () =>
        (await statusOf({ host: '127.0.0.1', port: this.port, path: '/v2/' }, await this.ca())) === 200,
    });
  }
}

/** Makes a certificate for the mirror's address, and the authority of it where clients look for one. */
async function certificate(scratch: Scratch, authority: string): Promise<string[]> {
  const { cert, key } = makeCertificate();
  const files = { cert: scratch.file('mirror.crt'), key: scratch.file('mirror.key') };
  await writeFile(join(authority, 'ca.crt'), cert);
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  return ['--tls-cert', files.cert, '--tls-key', files.key];
}

/** Of the upstream file: the registry under a namespace. */
export function upstreamEntry(namespace: string, { host, reader, tokenRealms }: UpstreamRegistry): string {
  return `
- namespace: ${namespace}
  host: ${host}
  tls: false
  username: ${reader.username}
  password: "${reader.password}"
  token_realms: ${JSON.stringify(tokenRealms)}
  manifest_invalidation_time: 1h
  access_recheck_time: 1h
`;
}
