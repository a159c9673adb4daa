import { completeS3 } from './aws/aws-defaults.js';
import { ConfigurationError, type Problem } from './configuration-error.js';
import { checkKeyPair, keyPairFiles, readKeyPair } from './key-pair.js';
import { checkProxies } from './proxy/proxy.js';
import { ServerSettings } from './server.settings.js';
import { storageClasses, type StorageName, type StorageSettings } from './storage.settings.js';
import { readSettingFile, readUpstreams } from './upstream-file.js';
import type { UpstreamSettings } from './upstream.settings.js';
import { validateSettings } from './validation/validation.js';

/** All validated settings of a server. */
export interface Settings {
  readonly server: ServerSettings;
  readonly storage: StorageSettings;
  readonly upstreams: readonly UpstreamSettings[];
  /** Names of the server settings that were set explicitly. */
  readonly given?: ReadonlySet<string>;
}

/** Texts by name; a list comes from a repeatable flag. */
export type Texts = Readonly<Record<string, string | readonly string[]>>;

/** Settings as text from the command line; absent ones keep their defaults. */
export interface SettingsText {
  readonly server: Texts;
  readonly storage: { readonly name: StorageName; readonly text: Texts };
}

/**
 * Validates the command-line settings and the files that they name.
 * @throws ConfigurationError with every mistake in all of them.
 */
export function loadSettings(text: SettingsText): Settings {
  const problems: Problem[] = [];
  const server = validateSettings(ServerSettings, text.server, (name) => `--${name}`);
  const { name: storageName, text: storageText } = text.storage;
  const storageClass: new () => StorageSettings = storageClasses[storageName];
  const { texts, sources } = storageName === 's3' ? completeS3(storageText) : { texts: {}, sources: {} };
  const storage = validateSettings(
    storageClass,
    { ...texts, ...storageText },
    (name) => sources[name] ?? `${storageName} --${name}`,
  );
  if (storage.value.provider === 's3') storage.value.sources = sources;
  problems.push(...server.problems, ...storage.problems);
  collect(problems, () => {
    const files = keyPairFiles(server.value);
    if (files) checkKeyPair(readKeyPair(files), Date.now());
  });
  collect(problems, checkProxies);
  const { upstreamConfigFile: file } = server.value;
  const upstreams = collect(problems, () =>
    readUpstreams(
      file === undefined ? undefined : readSettingFile(file, '--upstream-config-file'),
      readCredentials(server.value),
    ),
  );
  if (problems.length > 0 || upstreams === undefined) throw new ConfigurationError(problems);
  return { server: server.value, storage: storage.value, upstreams, given: new Set(Object.keys(text.server)) };
}

function collect<T>(problems: Problem[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

function readCredentials({ upstreamCredentials, upstreamCredentialsFile: file }: ServerSettings): string | undefined {
  if (file === undefined) return upstreamCredentials?.reveal();
  if (upstreamCredentials === undefined) return readSettingFile(file, '--upstream-credentials-file');
  const reason = 'cannot be combined with --upstream-credentials';
  throw new ConfigurationError([{ path: '--upstream-credentials-file', kind: 'text', reason }]);
}
