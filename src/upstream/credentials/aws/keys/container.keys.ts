import { isIPv4 } from 'node:net';
import type { Environment } from '../../../../config/aws/environment.js';
import { CloudError } from '../../cloud.client.js';
import { retrying } from '../../cloud.retry.js';
import { readSecretFile } from '../../clouds/cloud.files.js';
import { CredentialError } from '../../credential.source.js';
import { toKeys, variable, type AwsContext, type AwsKeys } from './aws.keys.js';
import { readKeyDocument } from './key.document.js';

/** Milliseconds for one response of an agent on this machine. */
const deadline = 5_000;
/** The agent of ECS. */
const taskHost = 'http://169.254.170.2';
/** Agents that are reached with plain http: those of ECS and of EKS Pod Identity. */
const agents = new Set(['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]', 'localhost', '[::1]']);

/** Keys of the agent of ECS or EKS Pod Identity; undefined when the environment names none. @throws CredentialError */
export async function containerKeys(context: AwsContext, signal: AbortSignal): Promise<AwsKeys | undefined> {
  const { env, client, clock } = context;
  const url = agentUrl(env);
  if (!url) return undefined;
  const authorization = await authorizationOf(env);
  const isMetadata = isAgent(url);
  const send = () =>
    client.send({
      method: 'GET',
      url,
      headers: { accept: 'application/json', ...(authorization !== undefined && { authorization }) },
      deadline,
      isMetadata,
      signal,
    });
  const source = `the credentials endpoint of the container at ${url.host}`;
  const { status, text } = await retrying(send, signal).catch((error: unknown) => {
    if (error instanceof CloudError)
      throw new CredentialError(`the credentials endpoint of the container: ${error.message}`);
    throw error;
  });
  if (status === 400 || status === 401 || status === 403)
    throw new CredentialError(
      `${source} responded with ${status}: check that the pod or task has a role (Pod Identity association, task role) and its token is current`,
    );
  if (status !== 200) throw new CredentialError(`${source} responded with ${status}`);
  const keys = readKeyDocument(text, source);
  const role = /^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@/-]{1,600}$/.exec(keys.roleArn)?.[0];
  return toKeys(keys, `${role ?? 'role of the container'} (container credentials)`, source, clock.now());
}

function agentUrl(env: Environment): URL | undefined {
  const relative = variable(env, 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI');
  const full = variable(env, 'AWS_CONTAINER_CREDENTIALS_FULL_URI');
  if (relative !== undefined) {
    // The SDK joins them the same way.
    const url =
      relative.startsWith('/') && URL.canParse(taskHost + relative) ? new URL(taskHost + relative) : undefined;
    if (url) return url;
    throw new CredentialError('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must be a path that begins with /');
  }
  if (full === undefined) return undefined;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isAgent(url))) return url;
  throw new CredentialError(
    'AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https URL, or an http URL of 169.254.170.2, 169.254.170.23, [fd00:ec2::23] or a loopback address',
  );
}

function isAgent({ hostname }: URL): boolean {
  return agents.has(hostname) || (isIPv4(hostname) && hostname.startsWith('127.'));
}

async function authorizationOf(env: Environment): Promise<string | undefined> {
  const file = variable(env, 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
  if (file !== undefined) return readSecretFile(file, 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
  const token = variable(env, 'AWS_CONTAINER_AUTHORIZATION_TOKEN');
  if (token === undefined || /^[\x20-\x7e]{1,16384}$/.test(token)) return token;
  throw new CredentialError('AWS_CONTAINER_AUTHORIZATION_TOKEN must be one line of text');
}
