import { Secret } from '../../../config/values/secret.js';
import { CredentialError } from '../credential.source.js';
import { parseTimestamp } from './keys/aws.keys.js';

/** A password for ECR's registries, whose user is always AWS. */
export interface AuthorizationToken {
  readonly password: Secret;
  readonly expiresAt: number;
}

/** Milliseconds for which ECR's tokens are valid, at most. */
const longestLife = 12 * 3_600_000;

/**
 * Reads a response to GetAuthorizationToken: `authorizationData` is a list for private registries and a map for public ones.
 * @throws CredentialError without the content
 */
export function readAuthorizationToken(text: string, now: number): AuthorizationToken {
  const { authorizationToken, expiresAt: end } = firstOf(text);
  const password = passwordOf(authorizationToken);
  const expiresAt = parseTimestamp(end);
  if (password === undefined) throw wrong('has no authorization token of the user AWS');
  if (expiresAt === undefined) throw wrong('has no valid time of expiry');
  if (expiresAt <= now) throw wrong('has a token that has expired: check the clock of this machine');
  return { password: new Secret(password), expiresAt: Math.min(expiresAt, now + longestLife) };
}

interface AuthorizationData {
  readonly authorizationToken?: unknown;
  readonly expiresAt?: unknown;
}

function firstOf(text: string): AuthorizationData {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong('is not JSON: check the endpoint');
  }
  const { authorizationData } = { ...(parsed as { authorizationData?: unknown }) };
  const first: unknown = Array.isArray(authorizationData) ? authorizationData[0] : authorizationData;
  return typeof first === 'object' && first !== null ? first : {};
}

function passwordOf(token: unknown): string | undefined {
  if (typeof token !== 'string' || token.length > 32_768 || !/^[A-Za-z0-9+/]+={0,2}$/.test(token)) return undefined;
  return /^AWS:([\x21-\x7e]+)$/.exec(Buffer.from(token, 'base64').toString('latin1'))?.[1];
}

function wrong(text: string): CredentialError {
  return new CredentialError(`ECR's response to GetAuthorizationToken ${text}`);
}
