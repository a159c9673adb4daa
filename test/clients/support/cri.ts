import { writeFile } from 'node:fs/promises';
import { BUILT } from './built.js';
import { ContainerdDaemon } from './containerd-daemon.js';
import { hostArchitecture } from './images.js';
import type { Account } from './private-server.js';
import { run } from './process.js';
import type { Scratch } from './scratch.js';

/** containerd's runtime interface, called as the kubelet calls it. */
export class Cri {
  private constructor(
    private readonly scratch: Scratch,
    private readonly containerd: ContainerdDaemon,
  ) {}

  static async open(scratch: Scratch): Promise<Cri> {
    // As docs/clients/containerd.md has it.
    const plugins = `
version = 3

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"

[plugins."io.containerd.cri.v1.images".registry]
  config_path = "${scratch.file('containerd/certs.d')}"

[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/${hostArchitecture}"
  snapshotter = "native"
`;
    return new Cri(scratch, await ContainerdDaemon.open(scratch, BUILT, plugins));
  }

  /** Writes the `hosts.toml` of a namespace, which is read at each pull. */
  async configure(namespace: string, hosts: string): Promise<void> {
    await writeFile(`${await this.scratch.folder('containerd', 'certs.d', namespace)}/hosts.toml`, hosts);
  }

  /**
   * Pulls an image that is not here yet.
   * @param credentials those of an imagePullSecret: `username` and `password`, or `auth`, which has both in base64
   * @returns its digest
   */
  async pull(name: string, credentials?: Account, key: 'username' | 'auth' = 'username'): Promise<string> {
    const pair = credentials && `${credentials.username}:${credentials.password}`;
    const secret = key === 'auth' ? ['--auth', Buffer.from(pair ?? '').toString('base64')] : ['--creds', pair ?? ''];
    await this.crictl('pull', ...(pair === undefined ? [] : secret), name);
    const { status } = JSON.parse(await this.crictl('inspecti', '--output', 'json', name)) as {
      status: { repoDigests: string[] };
    };
    await this.crictl('rmi', name);
    return status.repoDigests[0]!.split('@')[1]!;
  }

  private crictl(...args: string[]): Promise<string> {
    const endpoint = `unix://${this.containerd.socket}`;
    return run('crictl', ['--runtime-endpoint', endpoint, '--image-endpoint', endpoint, ...args]);
  }
}
