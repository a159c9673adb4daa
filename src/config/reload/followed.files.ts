import { ConfigurationError, type Problem } from '../configuration-error.js';
import type { HostedSettings } from '../hosted/hosted.settings.js';
import type { ServerSettings } from '../server.settings.js';
import { readSettingFile } from '../files/setting-file.js';
import { isEmptyYaml, readNamespaces, type ConfiguredNamespaces } from '../upstream-file.js';
import type { UpstreamSettings } from '../upstream.settings.js';
import { isRegistryHost } from '../validation/rules.js';
import { YamlLines } from '../validation/yaml.lines.js';
import type { WebhookSettings } from '../webhooks/webhook.settings.js';
import { readWebhooks } from '../webhooks/webhooks-file.js';
import { SettingFiles, type FileMarks } from './setting.files.js';

/** Settings that follow their files while the server runs. */
export interface FollowedSettings {
  readonly upstreams: readonly UpstreamSettings[];
  readonly hosted: readonly HostedSettings[];
  /** Absent without a webhooks file. */
  readonly webhooks?: readonly WebhookSettings[];
}

/** One reading of all files. */
export interface Reading {
  /** Undefined when something is wrong. */
  readonly settings: FollowedSettings | undefined;
  readonly problems: readonly Problem[];
  /** Of every file that was read, or could not be. */
  readonly marks: FileMarks;
}

/** Reads everything that follows its files again. */
export function readAgain(server: ServerSettings): Reading {
  const files = new SettingFiles(true);
  const problems: Problem[] = [];
  const { namespaces, empty } = files.record(() => readNamespaceFiles(server, problems));
  const { webhooks, empty: emptyWebhooks } = files.record(() => readWebhookFile(server, problems));
  // At the start it is a warning; here it is more likely that it is being written.
  problems.push(...empty, ...emptyWebhooks);
  const isValid = problems.length === 0 && namespaces !== undefined;
  const settings = isValid ? { ...namespaces, ...(webhooks && { webhooks }) } : undefined;
  return { settings, problems, marks: files.marks };
}

/** Reads the upstream file, the credentials and what these name. @param problems is appended to */
export function readNamespaceFiles(
  server: ServerSettings,
  problems: Problem[],
): { readonly namespaces: ConfiguredNamespaces | undefined; readonly empty: readonly Problem[] } {
  const { upstreamConfigFile: file } = server;
  const found: Problem[] = [];
  const yaml = file === undefined ? undefined : collect(found, () => readSettingFile(file, '--upstream-config-file'));
  // Names that are not valid have been reported.
  const names = server.hostedNamespaces.filter((name) => isRegistryHost(name));
  const namespaces = collect(found, () => readNamespaces(yaml, readCredentials(server), names));
  problems.push(...withLines(found, 'upstreams', yaml, file));
  const reason = 'is empty: it configures no registry';
  return { namespaces, empty: emptyFile('--upstream-config-file', yaml, file, reason) };
}

/** @param problems is appended to */
export function readWebhookFile(
  { webhooksFile: file }: ServerSettings,
  problems: Problem[],
): { readonly webhooks: WebhookSettings[] | undefined; readonly empty: readonly Problem[] } {
  if (file === undefined) return { webhooks: undefined, empty: [] };
  const found: Problem[] = [];
  const yaml = collect(found, () => readSettingFile(file, '--webhooks-file'));
  const webhooks = yaml === undefined ? undefined : collect(found, () => readWebhooks(yaml, readSettingFile));
  problems.push(...withLines(found, 'webhooks', yaml, file));
  return { webhooks, empty: emptyFile('--webhooks-file', yaml, file, 'is empty: it configures no webhook') };
}

/** An empty list is meant; a file without any is probably the wrong one, or was not written to its end. */
function emptyFile(
  path: string,
  yaml: string | undefined,
  file: string | undefined,
  reason: string,
): readonly Problem[] {
  return yaml === undefined || !isEmptyYaml(yaml) ? [] : [{ path, kind: 'a file', reason, file }];
}

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

function readCredentials(server: ServerSettings): string | undefined {
  const { upstreamCredentials, upstreamCredentialsFile: file } = server;
  if (file === undefined) return upstreamCredentials?.reveal();
  if (upstreamCredentials === undefined) return readSettingFile(file, '--upstream-credentials-file');
  const reason = 'cannot be combined with --upstream-credentials';
  throw new ConfigurationError([{ path: '--upstream-credentials-file', kind: 'text', reason }]);
}

/** Gives the value, or appends what is wrong. */
export function collect<T>(problems: Problem[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}
