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
import { isEmptyYaml, readNamespaces } from './upstream-file.js';
import type { UpstreamSettings } from './upstream.settings.js';
import { isRegistryHost } from './validation/rules.js';
import { validateSettings } from './validation/validation.js';
import { YamlLines } from './validation/yaml.lines.js';
import type { WebhookSettings } from './webhooks/webhook.settings.js';
import { readWebhooks } from './webhooks/webhooks-file.js';

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
  const file = server.value.upstreamConfigFile;
  const yaml =
    file === undefined ? undefined : collect(problems, () => readSettingFile(file, '--upstream-config-file'));
  // Names that are not valid have been reported.
  const names = server.value.hostedNamespaces.filter((name) => isRegistryHost(name));
  const namespaces = collect(problems, () => readNamespaces(yaml, readCredentials(server.value), names));
  const { accessFile } = server.value;
  const accessYaml =
    accessFile === undefined ? undefined : collect(problems, () => readSettingFile(accessFile, '--access-file'));
  const access = accessYaml === undefined ? undefined : collect(problems, () => readAccess(accessYaml));
  const { webhooksFile } = server.value;
  const webhooksYaml =
    webhooksFile === undefined ? undefined : collect(problems, () => readSettingFile(webhooksFile, '--webhooks-file'));
  const webhooks =
    webhooksYaml === undefined ? undefined : collect(problems, () => readWebhooks(webhooksYaml, readSettingFile));
  // Without a key anybody could claim to be a replica, for which no rule decides.
  const { advertiseUrl, clusterKey } = server.value;
  if (access && advertiseUrl !== undefined && clusterKey === undefined)
    problems.push({
      path: '--cluster-key',
      kind: 'missing',
      reason: 'is required with --access-file and --advertise-url',
    });
  const named = (problem: Problem) => withOrigin(problem, text, server.value);
  if (problems.length > 0 || namespaces === undefined)
    throw new ConfigurationError(
      withLines(withLines(problems, 'upstreams', yaml, file), 'webhooks', webhooksYaml, webhooksFile).map(named),
    );
  const idle = server.value.allowAnonymousPush && namespaces.hosted.length === 0 ? [idlePush] : [];
  const warnings = [
    ...(text.warnings ?? []),
    ...[...emptyFile(yaml, file), ...idle].map(named),
    ...uselessExemptions(),
  ];
  return {
    server: server.value,
    storage: storage.value,
    ...namespaces,
    ...(access && { access }),
    ...(webhooks && { webhooks }),
    given: new Set(Object.keys(text.server)),
    warnings,
  };
}

const idlePush: Problem = {
  path: '--allow-anonymous-push',
  kind: 'a flag',
  reason: 'has no effect without a hosted namespace: add --hosted-namespace',
};

/** The file and the lines of what a file with a list has wrong. @param root of the paths in it */
function withLines(
  problems: readonly Problem[],
  root: string,
  yaml: string | undefined,
  file: string | undefined,
): readonly Problem[] {
  const isInFile = ({ path }: Problem) => path === root || path.startsWith(`${root}[`);
  if (yaml === undefined || !problems.some(isInFile)) return problems;
  const isValid = problems.some(({ path }) => path.startsWith(`${root}[`));
  const lines = isValid ? new YamlLines(yaml) : undefined;
  return problems.map((problem) => {
    if (!isInFile(problem)) return problem;
    return { ...problem, file, line: problem.line ?? lines?.lineOf(problem.path.slice(root.length)) };
  });
}

/** Names what held the value: the environment variable if it was one, for the credentials the option or the file. */
function withOrigin(problem: Problem, { variables }: SettingsText, server: ServerSettings): Problem {
  const source = `--upstream-credentials${server.upstreamCredentialsFile === undefined ? '' : '-file'}`;
  const path = problem.path.replace(/^UPSTREAM_CREDENTIALS(?=$|\[)/, source);
  const [, option = path, rest = ''] = /^([^[]*)(\[.*)?$/s.exec(path) ?? [];
  return { ...problem, path: `${variables?.get(option) ?? option}${rest}` };
}

/** An empty list is meant; a file without any is probably the wrong one, or was not written to its end. */
function emptyFile(yaml: string | undefined, file: string | undefined): Problem[] {
  if (yaml === undefined || !isEmptyYaml(yaml)) return [];
  return [{ path: '--upstream-config-file', kind: 'a file', reason: 'is empty: it configures no registry', file }];
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
