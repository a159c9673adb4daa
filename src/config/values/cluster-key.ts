import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Secret } from './secret.js';

/** What a signature is for; each purpose has a key of its own, so that one signature never passes for another. */
export type SignaturePurpose = 'lease' | 'pull';

/** Milliseconds by which the clocks of two replicas may differ, transmission included. */
const maxSkew = 30_000;

/** A replica's request for a blob at another one. */
export interface PeerPull {
  /** Id of the replica that sends the request. */
  readonly follower: string;
  /** Origin at which the receiving replica advertises itself. */
  readonly audience: string;
  /** Path and query. */
  readonly target: string;
}

/** The secret that all replicas of a cluster share. It signs with HMAC-SHA256 under keys derived by HKDF (RFC 5869). */
export class ClusterKey {
  private readonly keys: Readonly<Record<SignaturePurpose, Buffer>>;

  constructor(secret: Secret) {
    const derive = (purpose: SignaturePurpose) =>
      Buffer.from(hkdfSync('sha256', secret.reveal(), '', `oci-registry ${purpose}`, 32));
    this.keys = { lease: derive('lease'), pull: derive('pull') };
  }

  /** @returns 43 characters of base64url */
  sign(purpose: SignaturePurpose, fields: readonly (string | number)[]): string {
    return this.digest(purpose, fields).toString('base64url');
  }

  /** Compares in constant time; any value may be passed as signature. */
  verify(purpose: SignaturePurpose, fields: readonly (string | number)[], signature: unknown): boolean {
    if (typeof signature !== 'string' || signature.length > 64) return false;
    const [given, expected] = [Buffer.from(signature, 'base64url'), this.digest(purpose, fields)];
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  /** @param now milliseconds since 1970. @returns `<now>.<signature>` */
  signPull(pull: PeerPull, now: number): string {
    const time = Math.floor(now);
    return `${time}.${this.sign('pull', fieldsOf(pull, time))}`;
  }

  /** Whether `signPull` of a replica with this key gave the proof within the last seconds. */
  verifyPull(pull: PeerPull, proof: string | undefined, now: number): boolean {
    const [, time = '', signature] = /^(\d{1,16})\.([\w-]{43})$/.exec(proof ?? '') ?? [];
    if (signature === undefined || Math.abs(now - Number(time)) > maxSkew) return false;
    return this.verify('pull', fieldsOf(pull, Number(time)), signature);
  }

  private digest(purpose: SignaturePurpose, fields: readonly (string | number)[]): Buffer {
    // JSON keeps the fields apart, whatever they contain.
    return createHmac('sha256', this.keys[purpose]).update(JSON.stringify(fields)).digest();
  }
}

function fieldsOf({ follower, audience, target }: PeerPull, time: number): readonly (string | number)[] {
  return [follower, audience, target, time];
}
