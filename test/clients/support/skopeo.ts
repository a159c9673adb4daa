import { readFile } from 'node:fs/promises';
import type { Client } from './client.js';
import { sha256 } from './image-layout.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import { run } from './process.js';
import { registriesConf, type Route, routed } from './registries-conf.js';
import type { Scratch } from './scratch.js';

/** Skopeo copying every platform into a folder. */
export class Skopeo implements Client {
  readonly takes = 'all';
  private constructor(
    private readonly scratch: Scratch,
    private readonly mirror: Mirror,
    private readonly route: Route,
    private readonly registries: string,
  ) {}

  static async open(scratch: Scratch, mirror: Mirror, route: Route): Promise<Skopeo> {
    return new Skopeo(scratch, mirror, route, await registriesConf(scratch, mirror));
  }

  async pull(image: Image): Promise<string[]> {
    const source = `docker://${routed(this.route, this.mirror, image.repository)}:${image.tag}`;
    const copy = await this.scratch.folder('skopeo', image.repository);
    await this.skopeo('copy', '--all', '--quiet', ...this.trust('src-'), source, `dir:${copy}`);
    const inspected = await this.skopeo('inspect', '--no-tags', ...this.trust(), '--format', '{{.Digest}}', source);
    return [inspected, sha256(await readFile(`${copy}/manifest.json`))];
  }

  /** The tags of a repository, as often as the pages name them. */
  async list(repository: string): Promise<string[]> {
    const listed = await this.skopeo(
      'list-tags',
      ...this.trust(),
      `docker://${routed(this.route, this.mirror, repository)}`,
    );
    return (JSON.parse(listed) as { Tags: string[] }).Tags;
  }

  async wipe(): Promise<void> {
    await this.scratch.remove(this.scratch.file('skopeo'));
  }

  private trust(of = ''): string[] {
    if (this.mirror.authority !== undefined) return [`--${of}cert-dir`, this.mirror.authority];
    return this.route === 'prefix' ? [`--${of}tls-verify=false`] : [];
  }

  private skopeo(...args: string[]): Promise<string> {
    const settings = ['--insecure-policy', '--registries-conf', this.registries, '--tmpdir', this.scratch.path];
    const environment = { REGISTRY_AUTH_FILE: this.scratch.file('no-credentials.json') };
    return run('skopeo', [...settings, ...args], { environment });
  }
}
