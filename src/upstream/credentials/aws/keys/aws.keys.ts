import type { Environment } from '../../../../config/aws/environment.js';
import type { Clock } from '../../../../config/clock/clock.js';
import { Secret } from '../../../../config/values/secret.js';
import type { CloudClient } from '../../cloud.client.js';
import { CredentialError } from '../../credential.source.js';

/** Keys that sign requests to AWS. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken?: Secret;
  /** Whose they are and where they come from, for messages: `the role arn:aws:iam::… (web identity)`. */
  readonly identity: string;
}

/** What the sources of keys work with. */
export interface AwsContext {
  readonly env: Environment;
  readonly client: CloudClient;
  readonly clock: Clock;
}

/** A variable of the environment; undefined when it is empty. Mounted secrets often end with a line break. */
export function variable(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

interface KeyTexts {
  readonly accessKeyId: unknown;
  readonly secretAccessKey: unknown;
  readonly sessionToken?: unknown;
  /** As AWS states it: RFC 3339. */
  readonly expiration?: unknown;
}

const isPrintable = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value.length <= longest && /^[\x21-\x7e]+$/.test(value);

/**
 * Checks keys, which are written into headers.
 * @param source names where they come from. @throws CredentialError without the values
 */
export function toKeys(texts: KeyTexts, identity: string, source: string, now: number): AwsKeys {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = texts;
  if (
    !(isPrintable(accessKeyId, 128) && /^\w+$/.test(accessKeyId)) ||
    !isPrintable(secretAccessKey, 512) ||
    !(sessionToken === undefined || isPrintable(sessionToken, 16_384))
  )
    throw new CredentialError(`${source} gives no usable AWS keys`);
  if (expiration !== undefined) checkExpiration(expiration, source, now);
  return {
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    ...(sessionToken !== undefined && { sessionToken: new Secret(sessionToken) }),
    identity,
  };
}

function checkExpiration(expiration: unknown, source: string, now: number): void {
  const expiresAt = parseTimestamp(expiration);
  if (expiresAt === undefined) throw new CredentialError(`${source} gives AWS keys without a valid time of expiry`);
  if (expiresAt <= now)
    throw new CredentialError(`${source} gives AWS keys that have expired: check the clock of this machine`);
}

/** Milliseconds since 1970 of an RFC 3339 timestamp, or of seconds as AWS's JSON protocols send them. */
export function parseTimestamp(value: unknown): number | undefined {
  if (typeof value === 'number') return value > 0 && value < 1e11 ? value * 1000 : undefined;
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value))
    return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

/** The last characters of a key's id, which tell keys apart. */
export function shortId(accessKeyId: string): string {
  return `…${accessKeyId.slice(-4)}`;
}
