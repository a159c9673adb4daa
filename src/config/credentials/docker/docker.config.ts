import { parseAuth, type AuthEntry } from './auth.entry.js';
import { isHelperName } from './helper.name.js';
import { matchesHost, parseRegistryKey, type RegistryKey } from './registry.key.js';

/** Largest file in bytes. A Secret of Kubernetes has at most as much. */
export const maxConfigBytes = 1024 * 1024;

type Fields = Readonly<Record<string, unknown>>;

/** Credentials of a file for one registry or for a path of it. */
export interface FoundAuth {
  /** Components of a repository's name, joined by slashes; empty for the whole registry. */
  readonly path: string;
  /** @throws Error whose message has nothing of the content */
  readonly read: () => AuthEntry;
}

/**
 * A `config.json` of Docker, an `auth.json` of Podman, or a pull secret of Kubernetes in either of its formats, for one
 * registry. Messages of errors have nothing of the content: they complete a sentence that begins with the file.
 */
export class DockerConfig {
  private constructor(
    private readonly auths: Fields,
    private readonly credHelpers: Fields,
    private readonly credsStore: unknown,
  ) {}

  /** @throws Error */
  static parse(text: string): DockerConfig {
    const document = parseJson(text);
    const { auths, credHelpers, credsStore } = document;
    const isLegacy = [auths, credHelpers, credsStore].every((part) => part === undefined) && hasEntries(document);
    return new DockerConfig(
      isLegacy ? document : mapOf('auths', auths),
      mapOf('credHelpers', credHelpers),
      credsStore ?? '',
    );
  }

  /** What follows `docker-credential-` in the name of the helper for a registry. @param host in canonical form. @throws Error */
  helperFor(host: string): string | undefined {
    const [best] = keysFor(this.credHelpers, host).filter(({ key }) => key.path === '');
    const [field, name] = best ? ['credHelpers', best.value] : ['credsStore', this.credsStore];
    if (name === '') return undefined;
    if (typeof name === 'string' && isHelperName(name)) return name;
    throw new Error(`has a ${field} entry that is not what follows docker-credential- in the name of a program`);
  }

  /** Whether the file names a helper for this registry in particular. @param host in canonical form */
  hasHelperOf(host: string): boolean {
    return keysFor(this.credHelpers, host).some(({ key, value }) => key.path === '' && value !== '');
  }

  /** Whether there is an entry for a registry, an empty one included: Docker writes it for what a helper has. */
  names(host: string): boolean {
    return keysFor(this.auths, host).length > 0;
  }

  /** Entries for a registry. @param host in canonical form */
  authsFor(host: string): RegistryAuths {
    return new RegistryAuths(keysFor(this.auths, host));
  }
}

/** The entries of `auths` that are for one registry. */
export class RegistryAuths {
  private readonly byPath = new Map<string, unknown>();

  /** @param keys the best first */
  constructor(keys: readonly KeyValue[]) {
    for (const { key, value } of keys) {
      // Docker writes an empty entry where a helper has the credentials.
      if (isEmptyEntry(value)) continue;
      if (!this.byPath.has(key.path)) this.byPath.set(key.path, value);
    }
    // Docker takes the URL of any page for its host.
    const url = keys.find(({ key, value }) => key.isUrl && !isEmptyEntry(value));
    if (url && !this.byPath.has('')) this.byPath.set('', url.value);
  }

  /** The entry with the longest path that the repository is below. @param repository its name at the registry */
  find(repository: string): FoundAuth | undefined {
    for (let path = repository; ; path = path.slice(0, Math.max(0, path.lastIndexOf('/')))) {
      if (this.byPath.has(path)) return this.at(path);
      if (path === '') return undefined;
    }
  }

  /** That for the whole registry, or else the first one for a path of it. */
  get first(): FoundAuth | undefined {
    const [path] = this.byPath.keys();
    return this.find('') ?? (path === undefined ? undefined : this.at(path));
  }

  private at(path: string): FoundAuth {
    return { path, read: () => parseAuth(this.byPath.get(path)) };
  }
}

interface KeyValue {
  readonly key: RegistryKey;
  readonly value: unknown;
}

/** The keys of a map that are for a registry: exact hosts before patterns, hosts before URLs, then in the order of the file. */
function keysFor(map: Fields, host: string): KeyValue[] {
  const rank = ({ key }: KeyValue) => (key.host === host ? 0 : 2) + (key.isUrl ? 1 : 0);
  return Object.entries(map)
    .map(([text, value]) => ({ key: parseRegistryKey(text), value }))
    .filter((entry): entry is KeyValue => entry.key !== undefined && matchesHost(entry.key.host, host))
    .sort((one, other) => rank(one) - rank(other));
}

function parseJson(text: string): Fields {
  if (text.trim() === '') throw new Error('is empty');
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    // The message quotes the text around the mistake, which may be a secret.
    const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
    const line = position === undefined ? '' : ` (line ${text.slice(0, Number(position)).split('\n').length})`;
    throw new Error(`is not JSON${line}`);
  }
  if (!isMap(document)) throw new Error('is not a JSON map');
  return document;
}

/** Whether it is a map from registries to entries, as `.dockercfg` was. */
function hasEntries(document: Fields): boolean {
  return Object.values(document).some((value) => isMap(value) && !isEmptyEntry(value));
}

function mapOf(field: string, value: unknown): Fields {
  if (value === undefined || value === null) return {};
  if (!isMap(value)) throw new Error(`has ${field} that are not a map`);
  return value;
}

const isMap = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

const credentialFields = ['auth', 'username', 'password', 'identitytoken', 'registrytoken'];

function isEmptyEntry(value: unknown): boolean {
  if (!isMap(value)) return false;
  return credentialFields.every((field) => [undefined, null, ''].includes(value[field] as undefined));
}
