import { hostsToml, registriesConf } from '../../../observability/clients/client-files.js';
import type { MirrorAddress } from '../../../observability/clients/mirror-address.js';
import { entryHeader, padding, trailer } from '../../../oci/archives/tar.header.js';

/** Files of a client, as a tar archive that is unpacked where the client looks for them. */
export interface Archive {
  /** Of the download. */
  readonly name: string;
  readonly title: string;
  /** Folder in which it is unpacked. */
  readonly folder: string;
  /** Path, with slashes, and text. @param hasOthers whether registries that are not configured are mirrored too */
  readonly files: (mirror: MirrorAddress, hasOthers: boolean) => readonly (readonly [path: string, text: string])[];
}

export const archives: readonly Archive[] = [
  {
    name: 'certs.d.tar',
    title: 'containerd, Kubernetes nodes: a hosts.toml for each registry',
    folder: '/etc/containerd',
    files: hostsFiles,
  },
  {
    name: 'docker-certs.d.tar',
    title: 'Docker Engine 28 and newer: a hosts.toml for each registry',
    folder: '/etc/docker',
    files: (mirror) => hostsFiles(mirror, false),
  },
  {
    name: 'registries.conf.d.tar',
    title: 'podman, skopeo, buildah, CRI-O: a file for registries.conf.d',
    folder: '/etc/containers',
    files: (mirror) => [['registries.conf.d/50-mirror.conf', registriesConf(mirror)]],
  },
];

function hostsFiles(mirror: MirrorAddress, hasOthers: boolean): (readonly [string, string])[] {
  const own = mirror.namespaces.map((name) => [`certs.d/${name}/hosts.toml`, hostsToml(mirror, name)] as const);
  return hasOthers ? [['certs.d/_default/hosts.toml', hostsToml(mirror)], ...own] : own;
}

/** All files are small. */
export function tarOf(files: readonly (readonly [path: string, text: string])[]): Buffer {
  const entries = files.flatMap(([path, text]) => {
    const content = Buffer.from(text);
    return [entryHeader(path, content.length, 'file'), content, padding(content.length)];
  });
  return Buffer.concat([...entries, trailer]);
}
