import { mkdir, writeFile } from 'node:fs/promises';
import { BUILT } from './built.js';
import type { ContainerdDaemon } from './containerd-daemon.js';
import { Daemon, type Environment, run } from './process.js';
import type { Scratch } from './scratch.js';

/** buildkitd with its content in a containerd, and its buildctl. It builds what needs no process. */
export class BuildKit {
  private constructor(
    private readonly scratch: Scratch,
    /** Where it finds credentials. */
    readonly environment: Environment,
  ) {}

  static async open(scratch: Scratch, containerd: ContainerdDaemon): Promise<BuildKit> {
    const folder = await scratch.folder('buildkit');
    const buildkit = new BuildKit(scratch, { HOME: folder, DOCKER_CONFIG: folder });
    const worker = ['--oci-worker=false', '--containerd-worker=true', '--containerd-worker-addr', containerd.socket];
    const store = ['--containerd-worker-snapshotter', 'native', '--containerd-worker-net', 'host'];
    const place = ['--addr', buildkit.address, '--root', scratch.file('buildkit/root')];
    const daemon = await Daemon.start(`${BUILT}buildkitd`, [...place, ...worker, ...store], {
      log: scratch.file('buildkit/log'),
      environment: { HOME: folder },
      ready: () =>
        buildkit.buildctl('debug', 'workers').then(
          () => true,
          () => false,
        ),
    });
    scratch.onClose(() => daemon.stop());
    return buildkit;
  }

  /**
   * Builds a Dockerfile beside a file that it may copy, and pushes the image.
   * @param output further attributes of the image. @param options further ones of buildctl
   */
  async push(
    name: string,
    dockerfile: string,
    { output = '', options = [] }: { output?: string; options?: readonly string[] } = {},
  ): Promise<void> {
    const context = this.scratch.file('buildkit/context');
    await mkdir(context, { recursive: true });
    await writeFile(`${context}/file`, name);
    await writeFile(`${context}/Dockerfile`, dockerfile);
    await this.buildctl(
      ...['build', '--progress', 'plain', '--frontend', 'dockerfile.v0', ...options],
      ...['--local', `context=${context}`, '--local', `dockerfile=${context}`],
      ...['--output', `type=image,name=${name},push=true${output}`],
    );
  }

  private get address(): string {
    return `unix://${this.scratch.file('buildkit/buildkitd.sock')}`;
  }

  private buildctl(...args: string[]): Promise<string> {
    return run(`${BUILT}buildctl`, ['--addr', this.address, ...args], { environment: this.environment });
  }
}
