import { writeFile } from 'node:fs/promises';
import type { Client } from './client.js';
import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import { type Environment, run } from './process.js';
import { registriesConf, type Route, routed } from './registries-conf.js';
import type { Scratch } from './scratch.js';

/** Podman with a store of its own. */
export class Podman implements Client {
  readonly takes = 'host';
  private constructor(
    private readonly scratch: Scratch,
    private readonly mirror: Mirror,
    private readonly route: Route,
    private readonly environment: Environment,
  ) {}

  static async open(scratch: Scratch, mirror: Mirror, route: Route): Promise<Podman> {
    const containersConf = scratch.file('containers.conf');
    await writeFile(containersConf, configuration(await scratch.folder('networks')));
    const credentials = scratch.file('no-credentials.json');
    await writeFile(credentials, '{}');
    const environment = {
      CONTAINERS_CONF: containersConf,
      CONTAINERS_REGISTRIES_CONF: await registriesConf(scratch, mirror),
      REGISTRY_AUTH_FILE: credentials,
      TMPDIR: await scratch.folder('tmp'),
    };
    return new Podman(scratch, mirror, route, environment);
  }

  async pull(image: Image): Promise<string[]> {
    const name = `${routed(this.route, this.mirror, image.repository)}:${image.tag}`;
    await this.podman('pull', '--quiet', ...this.trust(), name);
    const [{ Digest, RepoDigests } = { Digest: '', RepoDigests: [] }] = JSON.parse(
      await this.podman('image', 'inspect', name),
    ) as { Digest: string; RepoDigests: string[] }[];
    return [Digest, ...RepoDigests.map((reference) => reference.slice(reference.indexOf('@') + 1))];
  }

  async wipe(): Promise<void> {
    await this.scratch.remove(this.scratch.file('podman'));
  }

  private trust(): string[] {
    if (this.mirror.authority !== undefined) return ['--cert-dir', this.mirror.authority];
    return this.route === 'prefix' ? ['--tls-verify=false'] : [];
  }

  private podman(...args: string[]): Promise<string> {
    const place = (name: string) => this.scratch.file('podman', name);
    const store = ['--root', place('root'), '--runroot', place('run'), '--tmpdir', place('tmp')];
    return run('podman', [...store, '--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', ...args], {
      environment: this.environment,
    });
  }
}

/** Without a journal and without locks or networks in the places that all of a machine's podmans share. */
function configuration(networks: string): string {
  return `
[engine]
events_logger = "none"
lock_type = "file"
[network]
network_config_dir = "${networks}"
`;
}
