import { clientSnippets } from '../../../src/observability/clients/client-snippets.js';
import { mirrorAddress } from '../../../src/observability/clients/mirror-address.js';
import { type Client, NAMESPACE } from './client.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import { run } from './process.js';
import type { Scratch } from './scratch.js';

/** regctl, told about the mirror by the commands of our documentation, copying every platform into an OCI layout. */
export class Regctl implements Client {
  readonly takes = 'all';
  private constructor(private readonly scratch: Scratch) {}

  static async open(scratch: Scratch, mirror: Mirror): Promise<Regctl> {
    const regctl = new Regctl(scratch);
    const snippets = clientSnippets(mirrorAddress(mirror.address, false, [NAMESPACE])!);
    const { text } = snippets.find(({ client }) => client === 'regctl')!;
    for (const line of text.trim().split('\n')) await regctl.regctl(...line.split(' ').slice(1));
    return regctl;
  }

  async pull(image: Image): Promise<string[]> {
    const name = `${NAMESPACE}/${image.repository}:${image.tag}`;
    const resolved = await this.regctl('image', 'digest', name);
    const copy = `ocidir://${await this.scratch.folder('regctl', image.repository)}:${image.tag}`;
    await this.regctl('image', 'copy', name, copy);
    return [resolved, await this.regctl('image', 'digest', copy)];
  }

  async wipe(): Promise<void> {
    await this.scratch.remove(this.scratch.file('regctl'));
  }

  private regctl(...args: string[]): Promise<string> {
    const environment = {
      REGCTL_CONFIG: this.scratch.file('regctl.json'),
      DOCKER_CONFIG: this.scratch.file('no-docker'),
      HOME: this.scratch.path,
    };
    return run('regctl', args, { environment });
  }
}
