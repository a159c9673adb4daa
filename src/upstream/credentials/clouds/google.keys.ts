import { SignJWT } from 'jose';
import { rsaKeyOf } from './cloud.files.js';
import { formOf } from './cloud.forms.js';
import { endAfter, tokenOf } from './cloud.results.js';
import type { Step } from './cloud.steps.js';
import type { GoogleFile } from './google.file.js';
import { scopesOf, type GoogleRequest, type GoogleToken } from './google.token.js';

const tokenUri = 'https://oauth2.googleapis.com/token';
/** Seconds for which an assertion is valid, the most that Google accepts. */
const lifetime = 3600;

/** A token for a service account key (RFC 7523; developers.google.com, "Using OAuth 2.0 for Server to Server Applications"). */
export async function serviceAccountToken(file: GoogleFile, request: GoogleRequest): Promise<GoogleToken> {
  const email = file.label('client_email');
  const url = file.endpoint('token_uri', tokenUri, request.tokenHosts);
  const now = Math.floor(request.clock.now() / 1000);
  const kid = file.find('private_key_id');
  const assertion = await new SignJWT({ scope: scopesOf(request).join(' ') })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(kid !== undefined && { kid }) })
    .setIssuer(email)
    .setAudience(url.href)
    .setIssuedAt(now)
    .setExpirationTime(now + lifetime)
    .sign(rsaKeyOf(file.get('private_key'), `private_key of ${file.path}`));
  const step: Step = {
    name: `the token request for the service account ${email}`,
    url,
    ...formOf({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }),
    fields: { access_token: 'value', expires_in: 'value' },
    advise: (_, code) =>
      code === 'invalid_grant' ? 'check that the key is enabled and the account exists, and the clock' : undefined,
  };
  return toToken(step, `service account ${email}`, request);
}

/** A token for the sign-in of a user (`gcloud auth application-default login`). */
export async function userToken(file: GoogleFile, request: GoogleRequest): Promise<GoogleToken> {
  const step: Step = {
    name: `the token request for the user of ${file.path}`,
    url: file.endpoint('token_uri', tokenUri, request.tokenHosts),
    ...formOf({
      grant_type: 'refresh_token',
      client_id: file.get('client_id'),
      client_secret: file.get('client_secret'),
      refresh_token: file.get('refresh_token'),
    }),
    fields: { access_token: 'value', expires_in: 'value' },
    advise: (_, code) =>
      code === 'invalid_grant' ? 'sign in again with gcloud auth application-default login' : undefined,
  };
  return toToken(step, `user ${file.has('account') ? file.label('account') : `of ${file.path}`}`, request);
}

async function toToken(step: Step, identity: string, { steps, signal, clock }: GoogleRequest): Promise<GoogleToken> {
  const result = await steps.run(step, signal);
  return {
    token: tokenOf(result, 'access_token', step),
    expiresAt: endAfter(result, 'expires_in', step, clock.now()),
    identity,
  };
}
