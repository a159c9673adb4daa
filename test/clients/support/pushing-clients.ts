import { readFile, rm, writeFile } from 'node:fs/promises';
import { sha256 } from './image-layout.js';
import { type Environment, run } from './process.js';
import type { Scratch } from './scratch.js';

/** What pushes an image, from a layout of its own, and pulls one. */
export interface PushingClient {
  /** @param layout folder with an OCI layout that has nothing but the image, tagged `it`. @param name with its tag */
  push(layout: string, name: string): Promise<unknown>;
  /** Pulls all of it. @returns the digest */
  pull(name: string): Promise<string>;
}

/** What such programs find their credentials and settings by. */
export async function homeOf(scratch: Scratch): Promise<Environment> {
  const home = await scratch.folder('home');
  // podman and buildah want the file to be there. Signing in comes later.
  await writeFile(scratch.file('home/auth.json'), '{}');
  return {
    HOME: home,
    DOCKER_CONFIG: scratch.file('home/docker'),
    REGISTRY_AUTH_FILE: scratch.file('home/auth.json'),
    HELM_REGISTRY_CONFIG: scratch.file('home/helm.json'),
    REGCTL_CONFIG: scratch.file('home/regctl.json'),
    TMPDIR: await scratch.folder('tmp'),
  };
}

/** Each client with a home of its own, where nobody has signed in; none verifies a certificate, for there is none. */
export async function pushingClients(scratch: Scratch): Promise<Record<string, PushingClient>> {
  const environment = await homeOf(scratch);
  let copies = 0;
  const place = (kind: string) => scratch.folder('copies', `${kind}-${(copies += 1)}`);
  // Gigabytes take their time.
  const call = (program: string, ...args: string[]) => run(program, args, { environment, deadline: 600_000 });
  const store = (program: string) => [
    ...['--root', scratch.file(program, 'root'), '--runroot', scratch.file(program, 'run')],
    ...['--storage-driver', 'vfs'],
  ];

  return {
    skopeo: {
      push: (layout, name) =>
        call(
          'skopeo',
          ...['--insecure-policy', 'copy', '--quiet', '--all', '--preserve-digests', '--dest-tls-verify=false'],
          ...[`oci:${layout}:it`, `docker://${name}`],
        ),
      pull: async (name) => {
        const folder = await place('skopeo');
        const options = ['copy', '--quiet', '--all', '--src-tls-verify=false'];
        await call('skopeo', '--insecure-policy', ...options, `docker://${name}`, `dir:${folder}`);
        return sha256(await readFile(`${folder}/manifest.json`));
      },
    },
    crane: {
      push: (layout, name) => call('crane', '--insecure', 'push', layout, name),
      pull: async (name) => {
        await call('crane', '--insecure', 'validate', '--remote', name);
        return call('crane', '--insecure', 'digest', name);
      },
    },
    oras: {
      push: (layout, name) =>
        call('oras', 'cp', '--no-tty', '--from-oci-layout', `${layout}:it`, '--to-plain-http', name),
      pull: async (name) => {
        const copy = `${await place('oras')}:it`;
        await call('oras', 'cp', '--no-tty', '--from-plain-http', name, '--to-oci-layout', copy);
        return call('oras', 'resolve', '--oci-layout', copy);
      },
    },
    regctl: {
      push: async (layout, name) => {
        await call('regctl', 'registry', 'set', '--tls', 'disabled', name.split('/')[0]!);
        await call('regctl', 'image', 'copy', `ocidir://${layout}:it`, name);
      },
      pull: async (name) => {
        await call('regctl', 'registry', 'set', '--tls', 'disabled', name.split('/')[0]!);
        const copy = `ocidir://${await place('regctl')}:it`;
        await call('regctl', 'image', 'copy', name, copy);
        return call('regctl', 'image', 'digest', copy);
      },
    },
    podman: containersTool('podman', [...store('podman'), '--cgroup-manager', 'cgroupfs'], call),
    buildah: containersTool('buildah', store('buildah'), call),
  };
}

/** They take the image of this host's platform into their store, and push it from there. */
function containersTool(
  program: string,
  options: readonly string[],
  call: (program: string, ...args: string[]) => Promise<string>,
): PushingClient {
  const tool = (...args: string[]) => call(program, ...options, ...args);
  return {
    push: async (layout, name) => {
      // Paths of a layout become names, which have no capital letters.
      const archive = `docker-archive:${layout}.${program}.tar`;
      // It is not written twice.
      await rm(`${layout}.${program}.tar`, { force: true });
      await call('skopeo', '--insecure-policy', 'copy', '--quiet', `oci:${layout}:it`, `${archive}:localhost/it:1`);
      await tool('pull', '--quiet', archive);
      await tool('push', '--quiet', '--tls-verify=false', 'localhost/it:1', `docker://${name}`);
    },
    pull: async (name) => {
      await tool('pull', '--quiet', '--tls-verify=false', name);
      return program === 'podman'
        ? tool('image', 'inspect', '--format', '{{.Digest}}', name)
        : tool('images', '--digests', '--format', '{{.Digest}}', name);
    },
  };
}
