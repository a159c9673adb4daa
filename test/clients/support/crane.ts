import { readFile } from 'node:fs/promises';
import type { Client } from './client.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import { run } from './process.js';
import { routed } from './registries-conf.js';
import type { Scratch } from './scratch.js';

/** Crane asking for the digest, copying every platform into a folder, and checking the whole image where it lies. */
export class Crane implements Client {
  readonly takes = 'all';
  private constructor(
    private readonly scratch: Scratch,
    private readonly mirror: Mirror,
  ) {}

  static open(scratch: Scratch, mirror: Mirror): Promise<Crane> {
    return Promise.resolve(new Crane(scratch, mirror));
  }

  async pull(image: Image): Promise<string[]> {
    const name = `${routed('prefix', this.mirror, image.repository)}:${image.tag}`;
    const resolved = await this.crane('digest', name);
    const copy = await this.scratch.folder('crane', image.repository);
    await this.crane('pull', '--format', 'oci', name, copy);
    await this.crane('validate', '--remote', name);
    const { manifests } = JSON.parse(await readFile(`${copy}/index.json`, 'utf8')) as {
      manifests: { digest: string }[];
    };
    return [resolved, ...manifests.map(({ digest }) => digest)];
  }

  /** The tags of a repository, as often as the pages name them. */
  async list(repository: string): Promise<string[]> {
    return (await this.crane('ls', routed('prefix', this.mirror, repository))).split('\n');
  }

  async wipe(): Promise<void> {
    await this.scratch.remove(this.scratch.file('crane'));
  }

  private crane(...args: string[]): Promise<string> {
    return run('crane', ['--insecure', ...args], { environment: { DOCKER_CONFIG: this.scratch.file('no-docker') } });
  }
}
