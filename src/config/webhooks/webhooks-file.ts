import { loadAll } from 'js-yaml';
import { ConfigurationError, kindOf, type Problem } from '../configuration-error.js';
import { isText } from '../validation/rules.js';
import { validateSettings, type Values } from '../validation/validation.js';
import { Secret } from '../values/secret.js';
import { yamlProblem } from '../validation/yaml-problem.js';
import { WebhookSettings } from './webhook.settings.js';

/** Each has connections and a queue of its own. */
const maxWebhooks = 32;

/** Reads a file that a setting names. @throws ConfigurationError */
export type ReadFile = (file: string, setting: string) => string;

/**
 * Reads the webhooks file: a list of endpoints.
 * @throws ConfigurationError with every mistake in it.
 */
export function readWebhooks(yaml: string, readFile: ReadFile): WebhookSettings[] {
  const problems: Problem[] = [];
  const webhooks = entriesOf(yaml, problems).map(({ values, path }) => {
    const { value, problems: found } = validateSettings(WebhookSettings, values, (name) => `${path}.${name}`);
    problems.push(...found);
    collect(problems, () => readToken(value, path, readFile));
    collect(problems, () => readCertificates(value, `${path}.ca_file`, readFile));
    return { value, path };
  });
  for (const [index, { value, path }] of webhooks.entries()) {
    const first = webhooks.findIndex((other) => other.value.name === value.name);
    if (first === index || typeof value.name !== 'string') continue;
    problems.push({ path: `${path}.name`, kind: 'text', reason: `repeats webhooks[${first}]` });
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return webhooks.map(({ value }) => value);
}

function entriesOf(yaml: string, problems: Problem[]): { readonly values: Values; readonly path: string }[] {
  return parseList(yaml, problems).flatMap((values, index) => {
    const path = `webhooks[${index}]`;
    if (typeof values === 'object' && values !== null && !Array.isArray(values))
      return [{ values: values as Values, path }];
    problems.push({ path, kind: kindOf(values), reason: 'must be a map with name and url' });
    return [];
  });
}

function parseList(yaml: string, problems: Problem[]): unknown[] {
  try {
    const [document, ...more] = loadAll(yaml);
    if (more.length === 0 && (document === undefined || document === null)) return [];
    if (more.length === 0 && Array.isArray(document) && document.length <= maxWebhooks) return document;
    const reason = `must be one YAML list of at most ${maxWebhooks} webhooks`;
    problems.push({ path: 'webhooks', kind: kindOf(document), reason });
  } catch (error) {
    problems.push(yamlProblem('webhooks', error, yaml));
  }
  return [];
}

/** Sets the token to the content of its file, without the trailing newline. */
function readToken(webhook: WebhookSettings, path: string, readFile: ReadFile): void {
  const { tokenFile, headers } = webhook;
  const at = tokenFile === undefined ? `${path}.token` : `${path}.token_file`;
  const mistake = (reason: string) => new ConfigurationError([{ path: at, kind: 'text', reason }]);
  if (typeof tokenFile === 'string') {
    if (webhook.token !== undefined) throw mistake('cannot be combined with token');
    const token = readFile(tokenFile, at).replace(/\r?\n$/, '');
    if (!isText(token, 65_536)) throw mistake('must be a file with one line of text');
    Object.assign(webhook, { token });
  }
  // Anything else has been reported.
  if (!(webhook.token instanceof Secret)) return;
  const isMap = typeof headers === 'object' && (headers as unknown) !== null;
  if (isMap && Object.hasOwn(headers, 'authorization'))
    throw mistake('cannot be combined with the header Authorization');
  if (/[^!-~]/.test(webhook.token.reveal())) throw mistake('must be a token without spaces and control characters');
}

function readCertificates(webhook: WebhookSettings, path: string, readFile: ReadFile): void {
  if (typeof webhook.caFile !== 'string') return;
  const pem = readFile(webhook.caFile, path);
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new ConfigurationError([{ path, kind: 'a file', reason: 'contains no PEM certificate' }]);
  webhook.certificateAuthorities = pem;
}

function collect(problems: Problem[], read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(...error.problems);
  }
}
