import { writeFile } from 'node:fs/promises';
import { BUILT } from './built.js';
import { type Client, NOWHERE } from './client.js';
import type { ContainerdDaemon } from './containerd-daemon.js';
import { statusOf } from './http.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import type { Account } from './private-server.js';
import { Daemon, run } from './process.js';
import type { Scratch } from './scratch.js';

/** Docker Engine with the mirror in `registry-mirrors`; Docker Hub itself is out of its reach. */
export class DockerEngine implements Client {
  readonly takes = 'host';
  private daemon: Daemon | undefined;

  private constructor(
    private readonly scratch: Scratch,
    private readonly program: string,
    private readonly storage: readonly string[],
  ) {}

  static open(scratch: Scratch, mirror: Mirror): Promise<DockerEngine> {
    return DockerEngine.mirrored(scratch, mirror.url);
  }

  static mirrored(scratch: Scratch, url: string): Promise<DockerEngine> {
    return DockerEngine.start(scratch, { 'registry-mirrors': [url] });
  }

  /** One that pushes to a registry on this host, without a mirror. */
  static pushing(scratch: Scratch): Promise<DockerEngine> {
    return DockerEngine.start(scratch, {});
  }

  /** The newest one, with its images in a containerd. */
  static withContainerd(scratch: Scratch, containerd: ContainerdDaemon): Promise<DockerEngine> {
    const storage = ['--feature', 'containerd-snapshotter=true', '--containerd', containerd.socket];
    return DockerEngine.start(scratch, {}, `${BUILT}dockerd`, [...storage, '--storage-driver', 'native']);
  }

  private static async start(
    scratch: Scratch,
    options: object,
    program = 'dockerd',
    storage: readonly string[] = ['--storage-driver', 'vfs'],
  ): Promise<DockerEngine> {
    const engine = new DockerEngine(scratch, program, storage);
    await scratch.folder('docker');
    const configuration = { ...options, 'deprecated-key-path': scratch.file('docker/key.json') };
    await writeFile(scratch.file('docker/daemon.json'), JSON.stringify(configuration));
    scratch.onClose(() => engine.stop());
    await engine.start();
    return engine;
  }

  async pull(image: Image): Promise<string[]> {
    const name = nameAtHub(image);
    await this.docker('pull', '--quiet', name);
    const digests = await this.docker('image', 'inspect', '--format', '{{join .RepoDigests "\\n"}}', name);
    return digests.split('\n').map((reference) => reference.slice(reference.indexOf('@') + 1));
  }

  async login(address: string, { username, password }: Account): Promise<void> {
    await this.docker('login', '--username', username, '--password', password, address);
  }

  /** What login does after it has asked the registry. */
  async writeDown(registry: string, { username, password }: Account): Promise<void> {
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    await writeFile(this.scratch.file('docker/config.json'), JSON.stringify({ auths: { [registry]: { auth } } }));
  }

  async logout(address: string): Promise<void> {
    await this.docker('logout', address);
  }

  async load(archive: string): Promise<void> {
    await this.docker('load', '--quiet', '--input', archive);
  }

  /** Loads an archive and pushes the image in it. */
  async push(archive: string, name: string): Promise<void> {
    await this.load(archive);
    await this.docker('push', '--quiet', name);
  }

  async pushAs(name: string, other: string): Promise<void> {
    await this.docker('tag', name, other);
    await this.docker('push', '--quiet', other);
  }

  /** Pulls what it has forgotten, or never had. @returns its digests */
  async pullAgain(name: string): Promise<string> {
    await this.docker('image', 'rm', '--force', name).catch((error: unknown) => {
      if (!String(error).includes('No such image')) throw error;
    });
    await this.docker('pull', '--quiet', name);
    return this.docker('image', 'inspect', '--format', '{{join .RepoDigests "\\n"}}', name);
  }

  runContainer(image: Image): Promise<string> {
    return this.docker('run', '--rm', '--network', 'none', nameAtHub(image));
  }

  async wipe(): Promise<void> {
    await this.stop();
    await this.scratch.remove(this.scratch.file('docker/data'));
    await this.start();
  }

  private async start(): Promise<void> {
    const path = (name: string) => this.scratch.file('docker', name);
    const places = ['data-root', 'exec-root', 'pidfile'].flatMap((name) => [`--${name}`, path(name.split('-')[0]!)]);
    this.daemon = await Daemon.start(
      this.program,
      [
        ...['--config-file', path('daemon.json'), ...places, '--host', `unix://${this.socket}`],
        ...[...this.storage, '--iptables=false', '--ip-forward=false', '--bridge=none'],
      ],
      {
        log: path('log'),
        environment: {
          ...{ HTTP_PROXY: NOWHERE, HTTPS_PROXY: NOWHERE, NO_PROXY: '127.0.0.1' },
          // Newer engines want newer clients, unless told otherwise.
          DOCKER_MIN_API_VERSION: '1.24',
        },
        ready: async () => (await statusOf({ socketPath: this.socket, path: '/_ping' })) === 200,
      },
    );
  }

  /** Another one may then be opened. */
  async close(): Promise<void> {
    await this.stop();
    await this.scratch.remove(this.scratch.file('docker'));
  }

  private async stop(): Promise<void> {
    await this.daemon?.stop();
  }

  private docker(...args: string[]): Promise<string> {
    // Debian's engine is older than the client that other sources install, which must be told so.
    const environment = { DOCKER_API_VERSION: '1.41', DOCKER_CONFIG: this.scratch.file('docker') };
    return run('docker', ['--host', `unix://${this.socket}`, ...args], { environment });
  }

  private get socket(): string {
    return this.scratch.file('docker', 'docker.sock');
  }
}

/** Docker Hub's own images are named without `library/`, and only Docker Hub has mirrors here. */
function nameAtHub({ repository, tag }: Image): string {
  return `${repository.replace(/^library\//, '')}:${tag}`;
}
