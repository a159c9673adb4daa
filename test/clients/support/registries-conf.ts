import { writeFile } from 'node:fs/promises';
import { NAMESPACE, NOWHERE } from './client.js';
import type { Mirror } from './mirror.js';
import type { Scratch } from './scratch.js';

/** Writes the configuration that has podman and skopeo take the namespace from the mirror and from nowhere else. */
export async function registriesConf(scratch: Scratch, mirror: Mirror): Promise<string> {
  const file = scratch.file('registries.conf');
  await writeFile(
    file,
    `
[[registry]]
prefix = "${NAMESPACE}"
location = "${NOWHERE}"
[[registry.mirror]]
location = "${mirror.address}/${NAMESPACE}"
insecure = ${mirror.authority === undefined}
`,
  );
  return file;
}

export type Route = 'mirror' | 'prefix';

/** How the image is called: by its own name, left to `registries.conf`, or with the mirror's address before it. */
export function routed(route: Route, mirror: Mirror, repository: string): string {
  const name = `${NAMESPACE}/${repository}`;
  return route === 'mirror' ? name : `${mirror.address}/${name}`;
}
