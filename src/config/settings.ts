import { readAccess } from './access/access-file.js';
import type { AccessSettings } from './access/access.settings.js';
import { completeS3 } from './aws/aws-defaults.js';
import { ConfigurationError, type Problem } from './configuration-error.js';
import { checkKeyPair, keyPairFiles, readKeyPair } from './key-pair.js';
import type { HostedSettings } from './hosted/hosted.settings.js';
import { checkProxies, uselessExemptions } from './proxy/proxy.js';
import { ServerSettings } from './server.settings.js';
import { storageClasses, type StorageName, type StorageSettings } from './storage.settings.js';
import { readSettingFile } from './files/setting-file.js';
import { collect, readNamespaceFiles, readWebhookFile } from './reload/followed.files.js';
import { SettingFiles, type FileMarks } from './reload/setting.files.js';
import type { UpstreamSettings } from './upstream.settings.js';
import { validateSettings } from './validation/validation.js';
import type { WebhookSettings } from './webhooks/webhook.settings.js';

/** All validated settings of a server. */
export interface Settings {
  readonly server: ServerSettings;
  readonly storage: StorageSettings;
  readonly upstreams: readonly UpstreamSettings[];
  /** Namespaces that content is pushed to. */
  readonly hosted: readonly HostedSettings[];
  /** Undefined without an access file. */
  readonly access?: AccessSettings;
  /** Absent without a webhooks file. */
  readonly webhooks?: readonly WebhookSettings[];
  /** Names of the server settings that were set explicitly. */
  readonly given?: ReadonlySet<string>;
  /** The versions of the files that are followed while the server runs. */
  readonly files?: FileMarks;
  /** What is valid and yet probably a mistake. */
  readonly warnings?: readonly Problem[];
}

/** Texts by name; a list comes from a repeatable flag. */
export type Texts = Readonly<Record<string, string | readonly string[]>>;

/** Settings as text from the command line; absent ones keep their defaults. */
export interface SettingsText {
  readonly server: Texts;
  readonly storage: { readonly name: StorageName; readonly text: Texts };
  /** Environment variables that gave settings their values, by the options `--listen` and `filesystem --root`. */
  readonly variables?: ReadonlyMap<string, string>;
  readonly warnings?: readonly Problem[];
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
  const files = new SettingFiles();
  const { namespaces, empty } = files.record(() => readNamespaceFiles(server.value, problems));
  const { accessFile } = server.value;
  const accessYaml =
    accessFile === undefined ? undefined : collect(problems, () => readSettingFile(accessFile, '--access-file'));
  const access = accessYaml === undefined ? undefined : collect(problems, () => readAccess(accessYaml));
  const { webhooks } = files.record(() => readWebhookFile(server.value, problems));
  // Without a key anybody could claim to be a replica, for which no rule decides.
  const { advertiseUrl, clusterKey } = server.value;
  if (access && advertiseUrl !== undefined && clusterKey === undefined)
    problems.push({
      path: '--cluster-key',
      kind: 'missing',
      reason: 'is required with --access-file and --advertise-url',
    });
  const named = (problem: Problem) => withOrigin(problem, text, server.value);
  if (problems.length > 0 || namespaces === undefined) throw new ConfigurationError(problems.map(named));
  const idle = server.value.allowAnonymousPush ? idlePush(namespaces.hosted.length > 0, access !== undefined) : [];
  const warnings = [...(text.warnings ?? []), ...[...empty, ...idle].map(named), ...uselessExemptions()];
  return {
    server: server.value,
    storage: storage.value,
    ...namespaces,
    ...(access && { access }),
    ...(webhooks && { webhooks }),
    given: new Set(Object.keys(text.server)),
    files: files.marks,
    warnings,
  };
}

/** What keeps --allow-anonymous-push from having an effect. */
function idlePush(isHosting: boolean, hasAccess: boolean): Problem[] {
  const flag = { path: '--allow-anonymous-push', kind: 'a flag' };
  if (!isHosting) return [{ ...flag, reason: 'has no effect without a hosted namespace: add --hosted-namespace' }];
  return hasAccess ? [{ ...flag, reason: 'has no effect with --access-file: its rules say who may push' }] : [];
}

/** Names what held the value: the environment variable if it was one, for the credentials the option or the file. */
function withOrigin(problem: Problem, { variables }: SettingsText, server: ServerSettings): Problem {
  const source = `--upstream-credentials${server.upstreamCredentialsFile === undefined ? '' : '-file'}`;
  const path = problem.path.replace(/^UPSTREAM_CREDENTIALS(?=$|\[)/, source);
  const [, option = path, rest = ''] = /^([^[]*)(\[.*)?$/s.exec(path) ?? [];
  return { ...problem, path: `${variables?.get(option) ?? option}${rest}` };
}
