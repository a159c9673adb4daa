import { isRegistryHost } from '../../../config/validation/rules.js';
import { CredentialError } from '../credential.source.js';
import { endAfter, tokenOf } from './cloud.results.js';
import type { Step } from './cloud.steps.js';
import type { GoogleRequest, GoogleToken } from './google.token.js';

const flavor = 'metadata-flavor';

/**
 * The token of the machine's or pod's service account (cloud.google.com, "View and query VM metadata"; on GKE with workload
 * identity, the same server gives the pod's).
 * @param account its email; undefined for the default one. @throws CredentialError
 */
export async function metadataToken(
  host: string,
  account: string | undefined,
  request: GoogleRequest,
): Promise<GoogleToken> {
  if (!isRegistryHost(host)) throw new CredentialError('GCE_METADATA_HOST must be a host name with an optional port');
  const { steps, scopes, clock, signal } = request;
  const base = `http://${host}/computeMetadata/v1/instance/service-accounts/${account ?? 'default'}`;
  const url = new URL(`${base}/token`);
  if (scopes.length > 0) url.searchParams.set('scopes', scopes.join(','));
  const step: Step = {
    name: 'the token request to the metadata server',
    method: 'GET',
    url,
    headers: { [flavor]: 'Google' },
    isMetadata: true,
    fields: { access_token: 'value', expires_in: 'value' },
    advise,
  };
  const result = await steps.run(step, signal);
  if (result.headers[flavor] !== 'Google') {
    throw new CredentialError(`${step.name} failed: ${host} is not the metadata server of Google`);
  }
  return {
    token: tokenOf(result, 'access_token', step),
    expiresAt: endAfter(result, 'expires_in', step, clock.now()),
    identity: `service account ${account ?? (await emailOf(base, request))}`,
  };
}

/** For operators only: a token whose account cannot be told is as good. */
async function emailOf(base: string, { steps, signal }: GoogleRequest): Promise<string> {
  const step: Step = {
    name: 'the request for the email of the service account',
    method: 'GET',
    url: new URL(`${base}/email`),
    headers: { [flavor]: 'Google' },
    isMetadata: true,
    deadline: 2_000,
    fields: {},
  };
  try {
    const email = (await steps.read(step, signal)).trim();
    if (/^[\w.@:-]{1,320}$/.test(email)) return email;
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
  }
  return 'of the metadata server';
}

function advise(status: number | undefined): string | undefined {
  if (status === undefined) return 'outside Google Cloud, set file or GOOGLE_APPLICATION_CREDENTIALS';
  if (status === 404) return 'attach a service account to the machine, or correct service_account';
  if (status === 403)
    return 'allow the pod’s service account to act as the Google one (roles/iam.workloadIdentityUser)';
  return undefined;
}
