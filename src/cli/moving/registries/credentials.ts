import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { RegistryClientSettings } from '../../../config/registry-client.settings.js';
import { isObject } from '../../../oci/manifest.js';
import { StartError } from '../../start-error.js';

const maxFileBytes = 1024 * 1024;

/** The Authorization header for the server: of the settings, or of `docker login`. @throws StartError */
export function authorizationFor({ server, username, password }: RegistryClientSettings): string | undefined {
  if (username !== undefined && password) return basic(`${username}:${password.reveal()}`);
  if (!/^https?:/.test(server)) return undefined;
  const file = dockerConfig();
  const config = file === undefined ? undefined : parse(file);
  if (!config) return undefined;
  const { host } = new URL(server);
  const { auths, credsStore, credHelpers } = config;
  const entry = isObject(auths) ? (auths[host] ?? auths[`https://${host}`] ?? auths[`http://${host}`]) : undefined;
  if (isObject(entry) && typeof entry.auth === 'string' && entry.auth !== '') return `Basic ${entry.auth}`;
  const isHelped = (isObject(credHelpers) && host in credHelpers) || (typeof credsStore === 'string' && entry);
  if (isHelped)
    throw new StartError(`the password for ${host} is in a credential helper: give --username and REGISTRY_PASSWORD`);
  return undefined;
}

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

function dockerConfig(): string | undefined {
  const { REGISTRY_AUTH_FILE: file, DOCKER_CONFIG: folder } = process.env;
  return read(file ?? join(folder ?? join(homedir(), '.docker'), 'config.json'));
}

function read(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text.length > maxFileBytes ? undefined : text;
  } catch {
    // Whoever has not signed in has no file.
    return undefined;
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isObject(document) ? document : undefined;
  } catch {
    throw new StartError('the credentials of docker login cannot be read: the file is not JSON');
  }
}
