import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { IssuerSettings } from '../../config/access/issuer.settings.js';
import { matchesPattern } from '../../oci/patterns/pattern.js';
import type { Identity } from '../rules/identity.js';
import { SignInRefused, type SignedIn } from '../sign-in.js';
import { fetchJsonOver, IssuerKeys, keysOfFile } from './issuer.keys.js';

/** What issuers sign with; never a shared secret, which a public key could be passed for (RFC 8725 §2.1). */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Seconds by which the clocks may differ. */
const leeway = 60;
const maxGroups = 200;
const maxText = 512;
/** A claim in the identity of an issuer. */
const placeholder = /\{([^{}]+)\}/g;

type Check = (keys: JWTVerifyGetKey) => Promise<{ payload: JWTPayload }>;

interface Issuer {
  readonly settings: IssuerSettings;
  readonly verify: (check: Check) => ReturnType<Check>;
}

/** Accepts tokens of the configured OpenID Connect issuers. */
export class IssuerTokens {
  private readonly issuers: readonly Issuer[];

  /** @param now milliseconds since 1970. @param fetchJson replaced in tests */
  constructor(
    settings: readonly IssuerSettings[],
    private readonly now: () => number,
    fetchJson?: (url: string) => Promise<unknown>,
  ) {
    this.issuers = settings.map((issuer) => ({ settings: issuer, verify: verifierOf(issuer, now, fetchJson) }));
  }

  /** Whether a text looks like a token of a configured issuer; nothing is verified. */
  isFromIssuer(token: string): boolean {
    return this.candidates(token).length > 0;
  }

  /** @throws SignInRefused `credentials` or `expired` */
  async signIn(token: string): Promise<SignedIn> {
    let refusal = new SignInRefused('credentials');
    for (const issuer of this.candidates(token)) {
      try {
        return await this.signInAt(issuer, token);
      } catch (error) {
        if (!(error instanceof SignInRefused)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /** An issuer can have several entries, each with an audience of its own. */
  private candidates(token: string): readonly Issuer[] {
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return [];
    try {
      const { iss } = decodeJwt(token);
      return this.issuers.filter(({ settings }) => settings.issuer === iss);
    } catch (error) {
      if (error instanceof errors.JOSEError) return [];
      throw error;
    }
  }

  private async signInAt({ settings, verify }: Issuer, token: string): Promise<SignedIn> {
    const { payload } = await verify((keys) =>
      jwtVerify(token, keys, {
        algorithms,
        issuer: settings.issuer,
        audience: settings.audience,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: leeway,
        currentDate: new Date(this.now()),
      }),
    ).catch((error: unknown) => {
      if (error instanceof errors.JWTExpired) throw new SignInRefused('expired');
      if (error instanceof errors.JOSEError || error instanceof TypeError) throw new SignInRefused('credentials');
      // The issuer cannot be reached, or does not send its keys.
      throw new SignInRefused('unavailable', 5);
    });
    if (!hasClaims(payload, settings.claims)) throw new SignInRefused('credentials');
    const identity = identityOf(payload, settings);
    if (!identity) throw new SignInRefused('credentials');
    const { jti } = payload;
    return { identity, issuer: settings.issuer, ...(typeof jti === 'string' && { tokenId: jti.slice(0, maxText) }) };
  }
}

function verifierOf(
  { issuer, jwksFile, caFile }: IssuerSettings,
  now: () => number,
  fetchJson: ((url: string) => Promise<unknown>) | undefined,
): Issuer['verify'] {
  if (jwksFile !== undefined) {
    const keys = keysOfFile(jwksFile);
    return (check) => check(keys);
  }
  const ca = caFile === undefined ? undefined : [...rootCertificates, readFileSync(caFile, 'utf8')].join('\n');
  const keys = new IssuerKeys(issuer, now, fetchJson ?? fetchJsonOver(ca));
  return (check) => keys.verify(check, (error) => error instanceof errors.JWKSNoMatchingKey);
}

function hasClaims(payload: JWTPayload, wanted: Readonly<Record<string, readonly string[]>>): boolean {
  return Object.entries(wanted).every(([name, values]) => {
    const value = textOf(payload[name]);
    return value !== undefined && values.some((pattern) => matchesPattern(pattern, value));
  });
}

/** Undefined when a claim that the identity needs is missing. */
function identityOf(payload: JWTPayload, { identity, groupsClaim }: IssuerSettings): Identity | undefined {
  const names = [...identity.matchAll(placeholder)].map(([, name = '']) => name);
  if (names.some((name) => (textOf(payload[name]) ?? '') === '')) return undefined;
  const subject = identity.replace(placeholder, (_, name: string) => textOf(payload[name]) ?? '');
  if (subject.length > maxText) return undefined;
  const list = groupsClaim === undefined ? undefined : payload[groupsClaim];
  const groups = Array.isArray(list) ? list.flatMap((group) => textOf(group) ?? []).slice(0, maxGroups) : [];
  const claims = Object.entries(payload).flatMap(([name, value]) => {
    const text = textOf(value);
    return text === undefined ? [] : [[name, text] as const];
  });
  return { subject, groups, claims: Object.fromEntries(claims) };
}

/** GitLab sends booleans as text, others do not. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.length <= maxText ? value : undefined;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
