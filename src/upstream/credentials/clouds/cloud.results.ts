import { CredentialError } from '../credential.source.js';
import type { Step, StepResult } from './cloud.steps.js';

/** Characters of a token; those with many groups have some 10,000. */
const maxToken = 32_768;
/** Seconds for which a token without a stated lifetime is used. */
const assumedLifetime = 600;
/** Longest lifetime in seconds that is believed. */
const longestLifetime = 86_400;

/** A token of a response, which can be sent in a header. @throws CredentialError */
export function tokenOf({ fields }: StepResult, name: string, step: Step): string {
  const token = fields[name];
  if (isToken(token)) return token;
  throw new CredentialError(`${step.name} failed: the response of ${step.url.host} has no usable ${name}`);
}

export function isToken(value: unknown): value is string {
  return typeof value === 'string' && value.length <= maxToken && /^[\x21-\x7e]+$/.test(value);
}

/** The end of a lifetime in seconds, a number or digits, that begins now. @throws CredentialError */
export function endAfter({ fields }: StepResult, name: string, step: Step, now: number): number {
  const value = fields[name] ?? assumedLifetime;
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) throw unusable(name, step);
  return endOf(seconds, step, now);
}

/**
 * The end of a lifetime that is stated as a time (RFC 3339). The lifetime is told by the clock of the response, so that the
 * end is right whatever this machine's clock says. @throws CredentialError
 */
export function endAt({ fields, headers }: StepResult, name: string, step: Step, now: number): number {
  const value = fields[name];
  const end =
    typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]{5,24}(Z|[+-]\d\d:\d\d)$/.test(value)
      ? Date.parse(value)
      : NaN;
  if (Number.isNaN(end)) throw unusable(name, step);
  const theirs = Date.parse(headers.date ?? '');
  return endOf((end - (Number.isNaN(theirs) ? now : theirs)) / 1000, step, now);
}

/**
 * The end of a JWT's lifetime, from its claims. The signature is not verified: a wrong time only leads to a refresh too
 * early, or to a 401 and a refresh.
 */
export function endOfJwt(token: string, step: Step, now: number): number {
  const { exp, iat, nbf } = claimsOf(token);
  const begin = iat ?? nbf;
  if (typeof exp !== 'number' || !Number.isFinite(exp)) return now + assumedLifetime * 1000;
  const from = typeof begin === 'number' && Number.isFinite(begin) ? begin : now / 1000;
  return endOf(exp - from, step, now);
}

function claimsOf(token: string): Record<string, unknown> {
  const [, payload = ''] = token.split('.');
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    // It is not a JWT.
    return {};
  }
}

function endOf(seconds: number, { name, url }: Step, now: number): number {
  if (seconds >= 1) return now + Math.min(seconds, longestLifetime) * 1000;
  throw new CredentialError(`${name} failed: the token of ${url.host} has already expired; compare the clocks`);
}

function unusable(name: string, step: Step): CredentialError {
  return new CredentialError(`${step.name} failed: the response of ${step.url.host} has no usable ${name}`);
}
