import { writeFile } from 'node:fs/promises';
import type { Client } from './client.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import { type Environment, run } from './process.js';
import { registriesConf, routed } from './registries-conf.js';
import type { Scratch } from './scratch.js';

/** buildah with a store of its own and the mirror in registries.conf. */
export class Buildah implements Client {
  readonly takes = 'host';
  private constructor(
    private readonly scratch: Scratch,
    private readonly mirror: Mirror,
    private readonly environment: Environment,
  ) {}

  static async open(scratch: Scratch, mirror: Mirror): Promise<Buildah> {
    const credentials = scratch.file('no-credentials.json');
    await writeFile(credentials, '{}');
    const environment = {
      CONTAINERS_REGISTRIES_CONF: await registriesConf(scratch, mirror),
      REGISTRY_AUTH_FILE: credentials,
      TMPDIR: await scratch.folder('tmp'),
    };
    return new Buildah(scratch, mirror, environment);
  }

  async pull(image: Image): Promise<string[]> {
    const name = `${routed('mirror', this.mirror, image.repository)}:${image.tag}`;
    await this.buildah('pull', '--quiet', name);
    const digests = await this.buildah('images', '--digests', '--format', '{{.Digest}}', name);
    return digests.split('\n');
  }

  async wipe(): Promise<void> {
    await this.scratch.remove(this.scratch.file('buildah'));
  }

  private buildah(...args: string[]): Promise<string> {
    const place = (name: string) => this.scratch.file('buildah', name);
    const store = ['--root', place('root'), '--runroot', place('run'), '--storage-driver', 'vfs'];
    return run('buildah', [...store, ...args], { environment: this.environment });
  }
}
