import { writeFile } from 'node:fs/promises';
import { type Client, NAMESPACE, NOWHERE } from './client.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import { Daemon, run } from './process.js';
import type { Scratch } from './scratch.js';

/** containerd with the mirror in the `hosts.toml` of the namespace, pulling every platform. */
export class Containerd implements Client {
  readonly takes = 'all';
  private daemon: Daemon | undefined;

  private constructor(private readonly scratch: Scratch) {}

  static async open(scratch: Scratch, mirror: Mirror): Promise<Containerd> {
    const containerd = new Containerd(scratch);
    const hosts = await scratch.folder('containerd', 'certs.d', NAMESPACE);
    await writeFile(`${hosts}/hosts.toml`, hostsFile(mirror));
    await writeFile(containerd.path('config.toml'), containerd.configuration());
    scratch.onClose(() => containerd.stop());
    await containerd.start();
    return containerd;
  }

  async pull(image: Image): Promise<string[]> {
    const name = reference(image);
    await this.ctr(
      ...['images', 'pull', '--hosts-dir', this.path('certs.d'), '--snapshotter', 'native'],
      ...['--all-platforms', name],
    );
    const [, line = ''] = (await this.ctr('images', 'ls', `name==${name}`)).split('\n');
    return line.split(/\s+/).filter((column) => column.startsWith('sha256:'));
  }

  runContainer(image: Image): Promise<string> {
    return this.ctr('run', '--rm', '--snapshotter', 'native', reference(image), 'greeting');
  }

  async wipe(): Promise<void> {
    await this.stop();
    await this.scratch.remove(this.path('root'));
    await this.start();
  }

  private async start(): Promise<void> {
    this.daemon = await Daemon.start('containerd', ['--config', this.path('config.toml')], {
      log: this.path('log'),
      ready: () =>
        this.ctr('version').then(
          () => true,
          () => false,
        ),
    });
  }

  private async stop(): Promise<void> {
    await this.daemon?.stop();
  }

  private ctr(...args: string[]): Promise<string> {
    return run('ctr', ['--address', this.path('containerd.sock'), ...args]);
  }

  private configuration(): string {
    return `
version = 2
root = "${this.path('root')}"
state = "${this.path('state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${this.path('containerd.sock')}"
`;
  }

  private path(name: string): string {
    return this.scratch.file('containerd', name);
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
