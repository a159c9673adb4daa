import { LRUCache } from 'lru-cache';
import { createHmac, randomBytes } from 'node:crypto';
import { SignInRefused } from '../sign-in.js';
import { BcryptThread } from './bcrypt.thread.js';

/** Concurrent hashes: there is one thread for them. */
const concurrency = 1;
/** Hashes that may wait: more than two seconds of them would be refused by clients anyway. */
const maxWaiting = 32;
/** Milliseconds for which a verified password is remembered. */
const lifetime = 300_000;
/** A hash that no password has, so that an unknown user costs what a known one does. */
const unknown = '$2y$10$vPxXqRYFkcmEVaqUKTMYLeDHSIDzBWWCkJhAHbTmhFHL1E0zVzP9O';

type Verify = (password: string, hash: string) => Promise<boolean>;

/**
 * Compares passwords with bcrypt hashes outside the event loop. What was verified is remembered for minutes as a keyed
 * hash of name and password, and counts only while the user's stored hash is the same.
 */
export class PasswordVerifier {
  private readonly key = randomBytes(32);
  private readonly verified: LRUCache<string, string>;
  private readonly waiting: (() => void)[] = [];
  private running = 0;
  private readonly compare: Verify;

  /** @param verify replaced in tests */
  constructor(now: () => number, verify?: Verify) {
    this.verified = new LRUCache({ max: 1024, ttl: lifetime, perf: { now } });
    const thread = new BcryptThread();
    this.compare = verify ?? ((password, hash) => thread.verify(password, hash));
  }

  /** Whether a password needs no hash to be accepted. */
  isKnown(username: string, password: string, hash: string | undefined): boolean {
    return hash !== undefined && this.verified.get(this.markOf(username, password)) === hash;
  }

  /**
   * @param hash undefined for an unknown user. @param nobody what an unknown user's password is compared with
   * @throws SignInRefused `busy`
   */
  async verify(username: string, password: string, hash: string | undefined, nobody = unknown): Promise<boolean> {
    if (this.isKnown(username, password, hash)) return true;
    await this.enter();
    try {
      const isCorrect = (await this.compare(password, hash ?? nobody)) && hash !== undefined;
      if (isCorrect) this.verified.set(this.markOf(username, password), hash);
      return isCorrect;
    } finally {
      this.leave();
    }
  }

  private markOf(username: string, password: string): string {
    return createHmac('sha256', this.key)
      .update(JSON.stringify([username, password]))
      .digest('base64');
  }

  private async enter(): Promise<void> {
    if (this.running < concurrency) {
      this.running += 1;
      return;
    }
    if (this.waiting.length >= maxWaiting) throw new SignInRefused('busy', 1);
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** The place goes to the next one. */
  private leave(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.running -= 1;
  }
}
