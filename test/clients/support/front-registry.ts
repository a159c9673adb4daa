import { writeFile } from 'node:fs/promises';
import { freePort, statusOf } from './http.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import { Daemon, run } from './process.js';
import type { Scratch } from './scratch.js';

/** The real docker-registry as a cache of the mirror, which has to serve its namespace as the default one. */
export class FrontRegistry {
  private constructor(
    private readonly scratch: Scratch,
    private readonly address: string,
  ) {}

  static async start(scratch: Scratch, mirror: Mirror): Promise<FrontRegistry> {
    const [host, port] = ['127.0.0.1', await freePort()];
    const configuration = {
      version: '0.1',
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: await scratch.folder('front') } },
      http: { addr: `${host}:${port}` },
      proxy: { remoteurl: mirror.url },
    };
    const file = scratch.file('front.json');
    await writeFile(file, JSON.stringify(configuration));
    const daemon = await Daemon.start('docker-registry', ['serve', file], {
      log: scratch.file('front.log'),
      ready: async () => (await statusOf({ host, port, path: '/v2/' })) === 200,
    });
    scratch.onClose(() => daemon.stop());
    return new FrontRegistry(scratch, `${host}:${port}`);
  }

  /** Pulls everything in an image through it and checks it. @returns the digest of its tag */
  async validate({ repository, tag }: Image): Promise<string> {
    const environment = { DOCKER_CONFIG: this.scratch.file('no-docker') };
    const name = `${this.address}/${repository}:${tag}`;
    await run('crane', ['--insecure', 'validate', '--remote', name], { environment });
    return run('crane', ['--insecure', 'digest', name], { environment });
  }
}
