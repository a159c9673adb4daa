import type { Client } from './client.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import { run } from './process.js';
import { routed } from './registries-conf.js';
import type { Scratch } from './scratch.js';

/** ORAS asking for the digest and copying every platform into an OCI layout. */
export class Oras implements Client {
  readonly takes = 'all';
  private constructor(
    private readonly scratch: Scratch,
    private readonly mirror: Mirror,
  ) {}

  static open(scratch: Scratch, mirror: Mirror): Promise<Oras> {
    return Promise.resolve(new Oras(scratch, mirror));
  }

  async pull(image: Image): Promise<string[]> {
    const name = `${routed('prefix', this.mirror, image.repository)}:${image.tag}`;
    const resolved = await this.oras('resolve', '--plain-http', name);
    const copy = `${await this.scratch.folder('oras', image.repository)}:${image.tag}`;
    await this.oras('copy', '--no-tty', '--from-plain-http', '--to-oci-layout', name, copy);
    return [resolved, await this.oras('resolve', '--oci-layout', copy)];
  }

  async wipe(): Promise<void> {
    await this.scratch.remove(this.scratch.file('oras'));
  }

  private oras(...args: string[]): Promise<string> {
    const environment = { DOCKER_CONFIG: this.scratch.file('no-docker'), HOME: this.scratch.path };
    return run('oras', args, { environment });
  }
}
