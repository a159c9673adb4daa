import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, statusOf } from './http.js';
import { Daemon, type Environment, run } from './process.js';
import type { Scratch } from './scratch.js';
import { until } from './until.js';

const PROJECT = join(import.meta.dirname, '../../..');

export async function buildWhenNeeded(): Promise<void> {
  await run(process.execPath, [join(PROJECT, 'scripts/build-when-needed.mjs')], { directory: PROJECT });
}

export interface HostedOptions {
  /** Of the namespace `local`, as in the upstream file. */
  readonly settings?: string;
  /** Further entries of the upstream file. */
  readonly upstreams?: string;
  /** The access file; without one, everybody may push. */
  readonly access?: string;
  readonly environment?: Environment;
}

interface LoggedRequest {
  readonly method: string;
  readonly path?: string;
  readonly repository?: string;
  readonly reference?: string;
  readonly status: number;
  /** Bytes of the body. */
  readonly received?: number;
  /** Bytes of the response. */
  readonly bytes?: number;
}

/** The program under test with a namespace to push to. */
export class HostedServer {
  private marks = 0;

  private constructor(
    private readonly target: { readonly host: string; readonly port: number },
    private readonly scratch: Scratch,
  ) {}

  static async start(
    scratch: Scratch,
    { settings = '', upstreams = '', access, environment = {} }: HostedOptions = {},
  ): Promise<HostedServer> {
    await buildWhenNeeded();
    const server = new HostedServer({ host: '127.0.0.1', port: await freePort() }, scratch);
    const file = scratch.file('hosted.yaml');
    await writeFile(file, `- {namespace: local, hosted: true, ${settings}}\n${upstreams}`);
    if (access !== undefined) await writeFile(scratch.file('access.yaml'), access);
    const pushing = access === undefined ? ['--allow-anonymous-push'] : ['--access-file', scratch.file('access.yaml')];
    const options = ['--listen', server.address, '--upstream-config-file', file, ...pushing, '--admin-listen', 'off'];
    const args = [join(PROJECT, 'dist/main'), ...options, 'filesystem', '--root', server.root];
    const daemon = await Daemon.start(process.execPath, args, {
      log: scratch.file('hosted.log'),
      ready: async () => [200, 401].includes((await statusOf({ ...server.target, path: '/v2/' })) ?? 0),
      environment,
    });
    scratch.onClose(() => daemon.stop());
    return server;
  }

  get address(): string {
    return `${this.target.host}:${this.target.port}`;
  }

  get root(): string {
    return this.scratch.file('hosted');
  }

  /** The name of a repository, as clients write it. */
  name(repository: string): string {
    return `${this.address}/local/${repository}`;
  }

  /** Every request since the start, those that a client has just had a response to among them. */
  async requests(): Promise<LoggedRequest[]> {
    this.marks += 1;
    const mark = `marks/${this.marks}`;
    await statusOf({ ...this.target, path: `/v2/local/${mark}/tags/list` });
    let requests: LoggedRequest[] = [];
    await until('the requests are in the log', async () => {
      requests = await this.logged();
      return requests.some(({ repository }) => repository === `local/${mark}`);
    });
    return requests.filter(({ repository }) => repository?.startsWith('local/marks/') !== true);
  }

  private async logged(): Promise<LoggedRequest[]> {
    const lines = (await readFile(this.scratch.file('hosted.log'), 'utf8')).split('\n').slice(0, -1);
    return lines
      .map((line) => JSON.parse(line) as LoggedRequest & { msg: string })
      .filter(({ msg }) => msg === 'request');
  }

  async logTail(): Promise<string> {
    return (await readFile(this.scratch.file('hosted.log'), 'utf8')).split('\n').slice(-60).join('\n');
  }
}
