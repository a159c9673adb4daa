import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Milliseconds that a form counts, and that a result is shown. */
const lifetime = 15 * 60_000;
/** Longest token in characters. */
const maxLength = 100;

/** What a token is for: the same form of another browser or identity, or for another action, is no proof. */
export interface TokenSubject {
  /** Secret that the browser has in a cookie. */
  readonly browser: string;
  readonly identity: string;
  /** The action with all that it is about. */
  readonly about: string;
}

/** Proofs that a page of this server was made for this visitor, this action and this time. */
export class ActionTokens {
  /** Where nothing is shared, only this process recognizes its tokens. */
  private readonly own = randomBytes(32);

  /** @param secrets that all replicas share; the first is used, all are recognized */
  constructor(private readonly secrets: () => readonly Buffer[]) {}

  make(subject: TokenSubject, now: number): string {
    const end = (now + lifetime).toString(36);
    return `${end}.${macOf(this.keys[0] ?? this.own, subject, end)}`;
  }

  isValid(token: string, subject: TokenSubject, now: number): boolean {
    const [end = '', mac = ''] = token.slice(0, maxLength).split('.', 2);
    const time = /^[0-9a-z]{1,10}$/.test(end) ? Number.parseInt(end, 36) : 0;
    // One from the future was made by nobody.
    if (time <= now || time > now + lifetime) return false;
    return this.keys.some((key) => isSame(mac, macOf(key, subject, end)));
  }

  private get keys(): readonly Buffer[] {
    const shared = this.secrets();
    return shared.length === 0 ? [this.own] : shared;
  }
}

function macOf(key: Buffer, { browser, identity, about }: TokenSubject, end: string): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([browser, identity, about, end]))
    .digest('base64url');
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}
