import { writeFile } from 'node:fs/promises';
import { type Client, NAMESPACE, NOWHERE } from './client.js';
import { ContainerdDaemon } from './containerd-daemon.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import type { Scratch } from './scratch.js';

/** containerd with the mirror in the `hosts.toml` of the namespace, pulling every platform. */
export class Containerd implements Client {
  readonly takes = 'all';

  private constructor(private readonly daemon: ContainerdDaemon) {}

  static async open(scratch: Scratch, mirror: Mirror): Promise<Containerd> {
    const hosts = await scratch.folder('containerd', 'certs.d', NAMESPACE);
    await writeFile(`${hosts}/hosts.toml`, hostsFile(mirror));
    return new Containerd(await ContainerdDaemon.open(scratch));
  }

  async pull(image: Image): Promise<string[]> {
    const name = reference(image);
    await this.daemon.ctr(
      ...['images', 'pull', '--hosts-dir', this.daemon.path('certs.d'), '--snapshotter', 'native'],
      ...['--all-platforms', name],
    );
    return this.daemon.digestOf(name);
  }

  runContainer(image: Image): Promise<string> {
    return this.daemon.ctr('run', '--rm', '--snapshotter', 'native', reference(image), 'greeting');
  }

  wipe(): Promise<void> {
    return this.daemon.wipe();
  }
}

function hostsFile(mirror: Mirror): string {
  const ca = mirror.authority === undefined ? '' : `ca = "${mirror.authority}/ca.crt"`;
  return `
server = "http://${NOWHERE}"
[host."${mirror.url}"]
  capabilities = ["pull", "resolve"]
  ${ca}
`;
}

function reference({ repository, tag }: Image): string {
  return `${NAMESPACE}/${repository}:${tag}`;
}
