import { jwtVerify, SignJWT, errors, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { randomUUID } from 'node:crypto';
import type { Identity } from '../rules/identity.js';
import { SignInRefused, type GrantedScope } from '../sign-in.js';
import type { SigningKey } from './signing.keys.js';

/** Seconds for which a token counts. */
export const tokenLifetime = 300;
/** Seconds by which the clocks of replicas and clients may differ. */
const leeway = 60;
/** Keeps tokens of this server and those of issuers apart (RFC 8725 §3.11). */
const type = 'oci-registry+jwt';
const algorithm = 'EdDSA';
const issuer = 'oci-registry';
/** Verified tokens that are remembered, in characters. */
const maxRemembered = 4 * 1024 * 1024;
/** Longest list of groups or claims in a token, in characters: they have to fit into a header. */
const maxIdentity = 4096;
/** Longest list of scopes with the identity in bytes: a token of at most some 8 KiB, as proxies take it in a header. */
const maxContent = 5_500;

/** What a token says. */
export interface VerifiedToken {
  readonly identity: Identity;
  readonly issuer: string;
  readonly tokenId: string;
  readonly scopes: readonly GrantedScope[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Issues this server's own tokens and verifies them without I/O. */
export class TokenService {
  private readonly verified: LRUCache<string, VerifiedToken>;
  /** Those that the remembered tokens were verified with. */
  private verifiedBy: readonly SigningKey[] | undefined;

  /**
   * @param keys of all replicas; the first signs.
   * @param now milliseconds since 1970
   */
  constructor(
    private readonly keys: () => readonly SigningKey[],
    private readonly now: () => number,
  ) {
    this.verified = new LRUCache({ maxSize: maxRemembered, sizeCalculation: (_, token) => token.length });
  }

  /** Of the scopes in their order as many as fit into a token. */
  fitting({ groups, claims }: Identity, scopes: readonly GrantedScope[]): readonly GrantedScope[] {
    let size = Buffer.byteLength(JSON.stringify({ groups, claims }));
    const end = scopes.findIndex((scope) => (size += Buffer.byteLength(JSON.stringify(scope)) + 1) > maxContent);
    return end === -1 ? scopes : scopes.slice(0, end);
  }

  /** @param from where the identity comes from. @param audience the service that the client named */
  async issue(identity: Identity, from: string, scopes: readonly GrantedScope[], audience: string): Promise<string> {
    const [key] = this.keys();
    if (!key) throw new Error('there is no key to sign tokens with');
    const now = Math.floor(this.now() / 1000);
    const { subject, groups, claims } = identity;
    const about = { groups, claims };
    if (JSON.stringify(about).length > maxIdentity) throw new SignInRefused('malformed');
    return new SignJWT({ access: scopes, from, about })
      .setProtectedHeader({ alg: algorithm, typ: type, kid: key.id })
      .setIssuer(issuer)
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt(now)
      .setNotBefore(now - leeway)
      .setExpirationTime(now + tokenLifetime)
      .setJti(randomUUID())
      .sign(key.privateKey);
  }

  /** Whether a token claims to be one of this server's; nothing is verified. */
  isOwn(token: string): boolean {
    const [header = ''] = token.split('.', 1);
    return header.length < 512 && Buffer.from(header, 'base64url').includes(`"${type}"`);
  }

  /**
   * @param lateness seconds after its end for which a token still counts.
   * @throws SignInRefused `expired` or `credentials`
   */
  async verify(token: string, audience: string, lateness = 0): Promise<VerifiedToken> {
    const known = this.known(token, audience);
    if (known) {
      if (known.expiresAt + lateness * 1000 > this.now()) return known;
      throw new SignInRefused('expired');
    }
    const keys = this.keys();
    const verified = await this.verifyNew(token, audience, lateness);
    if (keys === this.keys()) this.verified.set(markOf(token, audience), verified);
    return verified;
  }

  /** A token that was verified before and still counts; undefined where `verify` has to decide. */
  recall(token: string, audience: string): VerifiedToken | undefined {
    const known = this.known(token, audience);
    return known && known.expiresAt > this.now() ? known : undefined;
  }

  /** What was verified with other keys is verified again: the token's own may have been removed. */
  private known(token: string, audience: string): VerifiedToken | undefined {
    const keys = this.keys();
    if (keys !== this.verifiedBy) this.verified.clear();
    this.verifiedBy = keys;
    return this.verified.get(markOf(token, audience));
  }

  private async verifyNew(token: string, audience: string, lateness: number): Promise<VerifiedToken> {
    try {
      // The algorithm and the keys are this server's; whatever the header names is only compared with them.
      const { payload } = await jwtVerify(token, ({ kid }) => this.keyOf(kid), {
        algorithms: [algorithm],
        typ: type,
        issuer,
        audience,
        requiredClaims: ['exp', 'sub', 'jti'],
        clockTolerance: lateness,
        currentDate: new Date(this.now()),
      });
      return readPayload(payload);
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new SignInRefused('expired');
      if (error instanceof errors.JOSEError || error instanceof TypeError) throw new SignInRefused('credentials');
      throw error;
    }
  }

  private keyOf(kid: string | undefined) {
    const key = this.keys().find(({ id }) => id === kid);
    if (!key) throw new SignInRefused('credentials');
    return key.publicKey;
  }
}

function markOf(token: string, audience: string): string {
  return `${audience} ${token}`;
}

/** The signature vouches for the other types; another version may share the key. @throws SignInRefused */
function readPayload({ sub, jti = '', exp = 0, from, access, about }: JWTPayload): VerifiedToken {
  // The library checks that it is there, not that it is text.
  if (typeof sub !== 'string' || !Array.isArray(access)) throw new SignInRefused('credentials');
  const { groups, claims } = about as Pick<Identity, 'groups' | 'claims'>;
  return {
    identity: { subject: sub, groups, claims },
    issuer: from as string,
    tokenId: jti,
    scopes: access as GrantedScope[],
    expiresAt: exp * 1000,
  };
}
