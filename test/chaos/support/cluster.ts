import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { Folder } from '../../e2e/support/folder.js';
import { Program } from '../../e2e/support/program.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import type { FixtureBlob } from '../../fixtures/images.js';
import { assertStorageSound, type ClusterStorage } from './cluster-storage.js';
import { until } from './gate.js';

export interface ClusterOptions {
  readonly replicas?: number;
  /** What each replica says where it is; where it is in truth unless given. Undefined says nothing. */
  readonly advertise?: (url: string, index: number) => string | undefined;
  /** Of the one upstream, in YAML. */
  readonly upstream?: string;
  /** Further flags of every program. */
  readonly flags?: readonly string[];
}

/** A port that nobody listens on, and that the system gives to nobody who asks for any. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = net.createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Real programs on one storage, and the one registry behind them: `registry.test`. */
export class Cluster implements AsyncDisposable {
  killed = 0;
  /** How each program is started, on the port that it always has. */
  private readonly starts: (() => Promise<Program>)[] = [];

  private constructor(
    readonly registry: FakeRegistry,
    readonly storage: ClusterStorage,
    readonly programs: Program[],
    private readonly folder: Folder,
  ) {}

  static async start(
    makeStorage: () => Promise<ClusterStorage>,
    { replicas = 3, advertise = (url) => url, upstream = '', flags = [] }: ClusterOptions = {},
  ): Promise<Cluster> {
    const registry = await FakeRegistry.start();
    const folder = await Folder.make();
    const storage = await makeStorage();
    const yaml = `- {namespace: registry.test, host: '${registry.host}', tls: false${upstream}}\n`;
    await writeFile(folder.file('upstreams.yaml'), yaml);
    const programs: Program[] = [];
    const cluster = new Cluster(registry, storage, programs, folder);
    for (let index = 0; index < replicas; index += 1) {
      const address = `127.0.0.1:${await freePort()}`;
      const url = advertise(`http://${address}`, index);
      const common = [
        '--listen',
        address,
        '--admin-listen',
        'off',
        '--upstream-config-file',
        'upstreams.yaml',
        ...flags,
      ];
      const args = [...common, ...(url === undefined ? [] : ['--advertise-url', url]), ...storage.args];
      const options = { cwd: folder.path, ...(storage.env && { env: storage.env }) };
      const start = () => Program.start(args, options);
      cluster.starts.push(start);
      const program = await start().catch(async (error: unknown) => {
        await cluster[Symbol.asyncDispose]();
        throw error;
      });
      programs.push(program);
    }
    return cluster;
  }

  urlsOf({ digest }: FixtureBlob): string[] {
    return this.programs.map(({ url }) => `${url}/v2/registry.test/app/blobs/${digest}`);
  }

  /** GETs of the blob that reached the registry. */
  gets({ digest }: FixtureBlob): string[] {
    const asked = this.registry.select({ kind: 'blob', method: 'GET', reference: digest });
    return asked.map(({ headers }) => headers.range ?? 'whole');
  }

  /** Which program has the newest lease of the blob. */
  async holder({ digest }: FixtureBlob): Promise<number> {
    let holder = -1;
    await until(async () => {
      const leases = (await this.storage.keys()).filter((key) => key.includes(`/${digest.slice(7)}-`));
      const newest = leases.sort().at(-1);
      if (newest === undefined) return false;
      const content = await this.storage.read(newest).catch(() => Buffer.from('{}'));
      const { url } = JSON.parse(content.toString()) as { url?: string };
      holder = this.programs.findIndex((program) => program.url === url);
      return holder >= 0;
    }, 'somebody has the lease');
    return holder;
  }

  async kill(index: number): Promise<void> {
    this.killed += 1;
    this.programs[index]?.kill('SIGKILL');
    await this.programs[index]?.end;
  }

  /** Starts a program again that was killed. */
  async revive(index: number): Promise<void> {
    this.programs[index] = await this.starts[index]!();
  }

  /** Asks a program to stop, and starts it again when it has. @returns the one that has ended */
  async restart(index: number): Promise<Program> {
    const program = this.programs[index]!;
    program.kill('SIGTERM');
    const { code } = await program.end;
    if (code !== 0 || program.stderr !== '') throw new Error(`it ended with ${String(code)}: ${program.stderr}`);
    this.programs[index] = await this.starts[index]!();
    return program;
  }

  /** Lets the programs end, and checks what they leave. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const program of this.programs) if (program.isRunning) program.kill('SIGTERM');
      for (const program of this.programs) await program.end;
      const said = this.programs.map(({ stderr }) => stderr).join('');
      if (said !== '') throw new Error(said);
      await assertStorageSound(this.storage, this.killed);
    } finally {
      for (const program of this.programs) await program[Symbol.asyncDispose]();
      await this.registry.close();
      await this.storage[Symbol.asyncDispose]();
      await this.folder[Symbol.asyncDispose]();
    }
  }
}
