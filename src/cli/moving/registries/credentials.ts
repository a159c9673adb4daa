import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { configPlaces } from '../../../config/credentials/docker/config.places.js';
import { DockerConfig, maxConfigBytes } from '../../../config/credentials/docker/docker.config.js';
import { canonicalHost } from '../../../config/credentials/docker/registry.key.js';
import type { RegistryClientSettings } from '../../../config/registry-client.settings.js';
import { StartError } from '../../start-error.js';

const advice = 'give --username and REGISTRY_PASSWORD';

/** The Authorization header for the server: of the settings, or of `docker login`. @throws StartError */
export function authorizationFor({ server, username, password }: RegistryClientSettings): string | undefined {
  if (username !== undefined && password) return basic(username, password.reveal());
  if (!/^https?:/.test(server)) return undefined;
  const { host } = new URL(server);
  for (const { name, text } of readConfigs()) {
    try {
      const found = authorizationIn(DockerConfig.parse(text), host);
      if (found !== undefined) return found;
    } catch (error) {
      if (error instanceof StartError) throw error;
      const reason = error instanceof Error ? error.message : 'cannot be read';
      throw new StartError(`the credentials of docker login cannot be used: ${name} ${reason}`);
    }
  }
  return undefined;
}

function authorizationIn(config: DockerConfig, host: string): string | undefined {
  const registry = canonicalHost(host) ?? host;
  const entry = config.authsFor(registry).find('')?.read();
  if (entry?.kind === 'password') return basic(entry.username, entry.password.reveal());
  if (entry) throw new StartError(`what docker login stored for ${host} is an identity token: ${advice}`);
  // A store for all registries says nothing of this one.
  const isHelped = config.hasHelperOf(registry) || (config.helperFor(registry) !== undefined && config.names(registry));
  if (isHelped) throw new StartError(`the password for ${host} is in a credential helper: ${advice}`);
  return undefined;
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** What `docker login` and `podman login` have left, where each looks first. */
function readConfigs(): { readonly name: string; readonly text: string }[] {
  const { REGISTRY_AUTH_FILE: file } = process.env;
  const places = file ? [{ name: resolve(file), path: resolve(file) }] : configPlaces(undefined);
  return places.flatMap((place) => {
    const text = 'text' in place ? place.text.reveal() : read(place.path);
    return text === undefined ? [] : [{ name: place.name, text }];
  });
}

function read(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text.length > maxConfigBytes || text.trim() === '' ? undefined : text;
  } catch {
    // Whoever has not signed in has no file.
    return undefined;
  }
}
