import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, statusOf } from './http.js';
import { Daemon, run } from './process.js';
import type { Scratch } from './scratch.js';

const PROJECT = join(import.meta.dirname, '../../..');

/** The program under test with a namespace to push to, and no registry behind it. */
export class HostedServer {
  private constructor(
    readonly address: string,
    private readonly scratch: Scratch,
  ) {}

  /** @param settings of the namespace `local`, as in the upstream file */
  static async start(scratch: Scratch, settings = ''): Promise<HostedServer> {
    await run(process.execPath, [join(PROJECT, 'scripts/build-when-needed.mjs')], { directory: PROJECT });
    const port = await freePort();
    const server = new HostedServer(`127.0.0.1:${port}`, scratch);
    const upstreams = scratch.file('hosted.yaml');
    await writeFile(upstreams, `- {namespace: local, hosted: true, ${settings}}\n`);
    const pushing = ['--upstream-config-file', upstreams, '--allow-anonymous-push', '--admin-listen', 'off'];
    const storage = ['filesystem', '--root', scratch.file('hosted')];
    const args = [join(PROJECT, 'dist/main'), '--listen', server.address, ...pushing, ...storage];
    const daemon = await Daemon.start(process.execPath, args, {
      log: scratch.file('hosted.log'),
      ready: async () => (await statusOf({ host: '127.0.0.1', port, path: '/v2/' })) === 200,
    });
    scratch.onClose(() => daemon.stop());
    return server;
  }

  /** The name of a repository, as clients write it. */
  name(repository: string): string {
    return `${this.address}/local/${repository}`;
  }

  /** Every request since the start. */
  async requests(): Promise<{ method: string; path?: string; repository?: string; status: number }[]> {
    const lines = (await readFile(this.scratch.file('hosted.log'), 'utf8')).split('\n').filter((line) => line !== '');
    return lines
      .map((line) => JSON.parse(line) as { msg: string; method: string; status: number })
      .filter(({ msg }) => msg === 'request');
  }

  async logTail(): Promise<string> {
    return (await readFile(this.scratch.file('hosted.log'), 'utf8')).split('\n').slice(-60).join('\n');
  }
}
