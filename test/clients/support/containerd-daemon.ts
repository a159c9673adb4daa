import { writeFile } from 'node:fs/promises';
import { Daemon, run } from './process.js';
import type { Scratch } from './scratch.js';

const WITHOUT_CRI = `
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
`;

/** A containerd with a store of its own, and its ctr. */
export class ContainerdDaemon {
  private daemon: Daemon | undefined;

  private constructor(
    private readonly scratch: Scratch,
    /** Where its programs are; Debian's are found without. */
    private readonly programs: string,
  ) {}

  /** @param plugins of its configuration, and the version of that */
  static async open(scratch: Scratch, programs = '', plugins = WITHOUT_CRI): Promise<ContainerdDaemon> {
    const containerd = new ContainerdDaemon(scratch, programs);
    await scratch.folder('containerd');
    await writeFile(containerd.path('config.toml'), containerd.configuration(plugins));
    scratch.onClose(() => containerd.stop());
    await containerd.start();
    return containerd;
  }

  get socket(): string {
    return this.path('containerd.sock');
  }

  ctr(...args: string[]): Promise<string> {
    return run(`${this.programs}ctr`, ['--address', this.socket, ...args]);
  }

  /** The digest of an image by its name. */
  async digestOf(name: string): Promise<string[]> {
    const [, line = ''] = (await this.ctr('images', 'ls', `name==${name}`)).split('\n');
    return line.split(/\s+/).filter((column) => column.startsWith('sha256:'));
  }

  async wipe(): Promise<void> {
    await this.stop();
    await this.scratch.remove(this.path('root'));
    await this.start();
  }

  path(name: string): string {
    return this.scratch.file('containerd', name);
  }

  private async start(): Promise<void> {
    this.daemon = await Daemon.start(`${this.programs}containerd`, ['--config', this.path('config.toml')], {
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

  private configuration(plugins: string): string {
    // Tables come after plain keys.
    return `
root = "${this.path('root')}"
state = "${this.path('state')}"
${plugins}
[grpc]
address = "${this.socket}"
`;
  }
}
