import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { IssuerSettings } from '../../config/access/issuer.settings.js';
import { matchesPattern } from '../../oci/patterns/pattern.js';
import type { Identity } from '../rules/identity.js';
import { watch } from '../files/reuse.js';
import type { FileContext, WatchedFile } from '../files/watched.file.js';
import { SignInRefused, type SignedIn } from '../sign-in.js';
import { fetchJsonOver, IssuerKeys, parseAuthorities, parseKeys } from './issuer.keys.js';

/** What issuers sign with; never a shared secret, which a public key could be passed for (RFC 8725 §2.1). */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Seconds by which the clocks may differ. */
const leeway = 60;
const maxGroups = 200;
const maxText = 512;
/** A claim in the identity of an issuer. */
const placeholder = /\{([^{}]+)\}/g;

type Check = (keys: JWTVerifyGetKey) => Promise<{ payload: JWTPayload }>;

/** A configured issuer with the files that it names. */
interface Issuer {
  readonly settings: IssuerSettings;
  readonly keysFile: WatchedFile<JWTVerifyGetKey> | undefined;
  readonly authorities: WatchedFile<string> | undefined;
  readonly fetched: IssuerKeys;
}

/** Accepts tokens of the configured OpenID Connect issuers. */
export class IssuerTokens {
  private readonly issuers: readonly Issuer[];

  /** @param previous of an earlier version of the access file, whose keys stay known */
  constructor(
    settings: readonly IssuerSettings[],
    private readonly context: FileContext,
    previous?: IssuerTokens,
  ) {
    this.issuers = settings.map((issuer) => {
      const same = previous?.issuers.find((other) => JSON.stringify(other.settings) === JSON.stringify(issuer));
      return same ?? issuerOf(issuer, context);
    });
  }

  get files(): readonly WatchedFile<unknown>[] {
    return this.issuers.flatMap(({ keysFile, authorities }) => [keysFile ?? [], authorities ?? []].flat());
  }

  /** Whether an issuer is still configured. */
  has(url: string): boolean {
    return this.issuers.some(({ settings }) => settings.issuer === url);
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

  private async signInAt(issuer: Issuer, token: string): Promise<SignedIn> {
    const { settings } = issuer;
    const { payload } = await verifyAt(issuer, (keys) =>
      jwtVerify(token, keys, {
        algorithms,
        issuer: settings.issuer,
        audience: settings.audience,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: leeway,
        currentDate: new Date(this.context.clock.now()),
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

function issuerOf(settings: IssuerSettings, context: FileContext): Issuer {
  const { issuer, jwksFile, caFile } = settings;
  const authorities = watch('issuer_ca', caFile, parseAuthorities, context, undefined);
  const keysFile = watch('issuer_keys', jwksFile, parseKeys, context, undefined);
  const fetched = new IssuerKeys(
    issuer,
    () => context.clock.monotonic(),
    fetchJsonOver(() => authorities?.peek()),
  );
  return { settings, keysFile, authorities, fetched };
}

async function verifyAt({ keysFile, fetched }: Issuer, check: Check): ReturnType<Check> {
  if (keysFile) return check(await keysFile.read());
  return fetched.verify(check, (error) => error instanceof errors.JWKSNoMatchingKey);
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
