import { CredentialError } from '../credential.source.js';
import { readCredentialFile } from './cloud.files.js';
import { formOf } from './cloud.forms.js';
import { endAfter, endAt, tokenOf } from './cloud.results.js';
import type { Step } from './cloud.steps.js';
import type { GoogleFile } from './google.file.js';
import { defaultScope, scopesOf, type GoogleRequest, type GoogleToken } from './google.token.js';

/** Seconds for which a token of a service account is requested, the most without a change of policy. */
const lifetime = 3600;
const impersonationUrl = 'service_account_impersonation_url';
/** Sources of subject tokens that would need a program, or a connection with a certificate of the client. */
const unsupported = ['executable', 'certificate'];

/**
 * A token for a token of another identity provider (workload identity federation): the security token service exchanges it
 * (RFC 8693), and a service account may be impersonated with the result.
 */
export async function federatedToken(file: GoogleFile, request: GoogleRequest): Promise<GoogleToken> {
  const { steps, signal, clock, tokenHosts } = request;
  // All of the file is checked before anything of it is sent.
  const impersonation = file.has(impersonationUrl) ? file.endpoint(impersonationUrl, undefined, tokenHosts) : undefined;
  const audience = file.label('audience');
  const url = file.endpoint('token_url', undefined, tokenHosts);
  const subject = await subjectToken(file, request);
  const form = formOf({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience,
    scope: (impersonation ? [defaultScope] : scopesOf(request)).join(' '),
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: subject,
    subject_token_type: file.get('subject_token_type'),
  });
  const step: Step = {
    name: `the exchange of the token for ${audience}`,
    url,
    ...form,
    headers: { ...form.headers, ...clientOf(file) },
    fields: { access_token: 'value', expires_in: 'value' },
    advise: (_, code) =>
      code === 'invalid_grant' || code === 'unauthorized_client'
        ? 'check audience, the conditions of the identity pool provider, and that the subject token is current'
        : undefined,
  };
  const result = await steps.run(step, signal);
  const token = tokenOf(result, 'access_token', step);
  if (impersonation) return impersonate(token, impersonation, request);
  return { token, expiresAt: endAfter(result, 'expires_in', step, clock.now()), identity: `workload of ${audience}` };
}

async function impersonate(token: string, url: URL, request: GoogleRequest): Promise<GoogleToken> {
  const email = /\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(url.pathname)?.[1];
  const account = email ?? url.pathname;
  const step: Step = {
    name: `the token request for the service account ${account}`,
    method: 'POST',
    url,
    headers: { accept: 'application/json', 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ scope: scopesOf(request), lifetime: `${lifetime}s` }),
    fields: { accessToken: 'value', expireTime: 'value' },
    advise: (status) =>
      status === 403 || status === 404
        ? 'grant the workload roles/iam.workloadIdentityUser at the service account, and enable the IAM Service Account Credentials API'
        : undefined,
  };
  const result = await request.steps.run(step, request.signal);
  return {
    token: tokenOf(result, 'accessToken', step),
    expiresAt: endAt(result, 'expireTime', step, request.clock.now()),
    identity: `service account ${account}`,
  };
}

/** The client of a workforce pool, if the file has one. */
function clientOf(file: GoogleFile): Record<string, string> {
  const id = file.find('client_id');
  if (id === undefined) return {};
  const pair = `${id}:${file.find('client_secret') ?? ''}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** The token of the other identity provider, read anew each time. */
async function subjectToken(file: GoogleFile, request: GoogleRequest): Promise<string> {
  const source = file.object('credential_source');
  const format = source.object('format');
  const unusable = unsupported.find((name) => source.has(name));
  if (unusable !== undefined) {
    throw new CredentialError(
      `credential_source.${unusable} of ${file.path} is not supported: use a file or a url with a token, or the helper source with docker-credential-gcr`,
    );
  }
  if (source.has('environment_id')) {
    const { awsSubjectToken } = await import('./google.aws.js');
    return awsSubjectToken(source, file.get('audience'), request);
  }
  const path = source.find('file');
  if (path !== undefined) return extract(await readCredentialFile(path, 'the subject token file'), format, path);
  if (source.has('url')) return fetchSubject(source, format, request);
  throw new CredentialError(`credential_source of ${file.path} must have a file or a url`);
}

async function fetchSubject(source: GoogleFile, format: GoogleFile, request: GoogleRequest): Promise<string> {
  const { url, isMetadata } = source.tokenSource('url', request.tokenHosts);
  const headers = source.object('headers').texts();
  const step: Step = { name: 'the request for the subject token', method: 'GET', url, headers, isMetadata, fields: {} };
  return extract(await request.steps.read(step, request.signal), format, url.host);
}

function extract(text: string, format: GoogleFile, from: string): string {
  const type = format.find('type') ?? 'text';
  if (type !== 'text' && type !== 'json')
    throw new CredentialError(`format.type of ${format.path} must be text or json`);
  const token = type === 'text' ? text.trim() : fieldOf(text, format.get('subject_token_field_name'));
  if (token !== undefined && token !== '') return token;
  throw new CredentialError(`the subject token from ${from} is empty, or not where credential_source.format says`);
}

function fieldOf(text: string, name: string): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    return undefined;
  }
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
  return typeof value === 'string' ? value : undefined;
}
