import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Secret } from '../../values/secret.js';

/** Where a docker config may be: in a variable or in a file. */
export type ConfigPlace =
  | { readonly name: string; readonly text: Secret }
  | {
      readonly name: string;
      readonly path: string;
      /** Whether it is named in the configuration, so that its absence is an error. */
      readonly isRequired: boolean;
    };

/** The places to look at, in this order, as Docker does. @param file that is configured: then it is the only one */
export function configPlaces(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ConfigPlace[] {
  if (file !== undefined) return [{ name: resolve(file), path: resolve(file), isRequired: true }];
  const { DOCKER_AUTH_CONFIG: text, DOCKER_CONFIG: named } = env;
  const variable = text ? [{ name: 'DOCKER_AUTH_CONFIG', text: new Secret(text) }] : [];
  const folder = named ? named : defaultFolder();
  if (folder === undefined) return variable;
  const path = resolve(join(folder, 'config.json'));
  return [...variable, { name: path, path, isRequired: false }];
}

/** Undefined for a user without a home, as containers may have. */
function defaultFolder(): string | undefined {
  try {
    return join(homedir(), '.docker');
  } catch {
    return undefined;
  }
}
