import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from './environment.js';
import { parseSharedConfig, type Section } from './shared-config.js';

/** A value and where it was found. */
export interface Sourced {
  readonly value: string;
  readonly source: string;
}

/** What the environment of the AWS tools says about the bucket. */
export interface AwsDefaults {
  readonly region?: Sourced | undefined;
  /** The endpoint of S3. */
  readonly host?: Sourced | undefined;
}

/**
 * Region and endpoint from the variables and profile files of the AWS tools, in the order of the AWS CLI: a variable
 * before the profile, one for S3 before one for all services. Missing and unreadable files say nothing.
 */
export function findAwsDefaults(env: Environment = process.env): AwsDefaults {
  const files = sharedFiles(env);
  const region = variable(env, 'AWS_REGION') ?? variable(env, 'AWS_DEFAULT_REGION') ?? fromProfile(files, 'region');
  const isIgnored = env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === 'true';
  if (isIgnored) return { region };
  const host =
    variable(env, 'AWS_ENDPOINT_URL_S3') ??
    variable(env, 'AWS_ENDPOINT_URL') ??
    fromServices(files) ??
    fromProfile(files, 'endpoint_url');
  return { region, host };
}

/**
 * Completes the settings of the bucket that are not given.
 * @returns texts of settings, and the sources of those texts, by the names of the settings.
 */
export function completeS3(
  given: Readonly<Record<string, unknown>>,
  env: Environment = process.env,
): { readonly texts: Readonly<Record<string, string>>; readonly sources: Readonly<Record<string, string>> } {
  const found = Object.entries(findAwsDefaults(env)) as [string, Sourced | undefined][];
  const missing = found.flatMap(([name, text]) => (text && given[name] === undefined ? [{ name, ...text }] : []));
  return {
    texts: Object.fromEntries(missing.map(({ name, value }) => [name, value])),
    sources: Object.fromEntries(missing.map(({ name, source }) => [name, source])),
  };
}

interface SharedFile {
  readonly path: string;
  readonly sections: ReadonlyMap<string, Section>;
  /** Header of the selected profile. */
  readonly header: string;
}

/** The configuration file, then the credentials file, where most people also write the region. */
function sharedFiles(env: Environment): SharedFile[] {
  const given = (name: string) => variable(env, name)?.value;
  const profile = given('AWS_PROFILE') ?? 'default';
  const folder = join(given('HOME') ?? homedir(), '.aws');
  const config = given('AWS_CONFIG_FILE') ?? join(folder, 'config');
  const credentials = given('AWS_SHARED_CREDENTIALS_FILE') ?? join(folder, 'credentials');
  const sections = readSections(config);
  // Some write `[profile default]`.
  const isBare = profile === 'default' && sections.has('default');
  return [
    { path: config, sections, header: isBare ? 'default' : `profile ${profile}` },
    { path: credentials, sections: readSections(credentials), header: profile },
  ];
}

function readSections(path: string): ReadonlyMap<string, Section> {
  try {
    return parseSharedConfig(readFileSync(path, 'utf8'));
  } catch {
    return new Map();
  }
}

function variable(env: Environment, name: string): Sourced | undefined {
  const value = env[name];
  return value === undefined || value === '' ? undefined : { value, source: name };
}

function fromProfile(files: readonly SharedFile[], key: string): Sourced | undefined {
  for (const { path, sections, header } of files) {
    const value = sections.get(header)?.[key];
    if (value !== undefined && value !== '') return { value, source: `[${header}] of ${path}` };
  }
  return undefined;
}

/** The endpoint of S3 in the section of services that the profile names. */
function fromServices(files: readonly SharedFile[]): Sourced | undefined {
  const name = fromProfile(files, 'services')?.value;
  if (name === undefined) return undefined;
  const named = files.map((file) => ({ ...file, header: `services ${name}` }));
  return fromProfile(named, 's3.endpoint_url');
}
