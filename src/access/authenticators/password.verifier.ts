import { networkOf } from '../limits/network.of.js';
import type { Attempts } from './attempts.js';
import { BcryptThread } from './bcrypt.thread.js';
import { HashQueue } from './hash.queue.js';
import { VerifiedPasswords } from './verified.passwords.js';

/** Milliseconds for which a verified password is remembered. */
const lifetime = 300_000;
/** A hash that no password has, so that an unknown user costs what a known one does. */
const unknown = '$2y$10$vPxXqRYFkcmEVaqUKTMYLeDHSIDzBWWCkJhAHbTmhFHL1E0zVzP9O';

type Verify = (password: string, hash: string) => Promise<boolean>;

/** A password to be verified. */
export interface Guess {
  readonly username: string;
  readonly password: string;
  readonly address: string;
}

/**
 * Compares passwords with bcrypt hashes outside the event loop. What was verified is remembered for minutes as a keyed
 * hash of name and password, and counts only while the user's stored hash is the same.
 */
export class PasswordVerifier {
  private readonly verified: VerifiedPasswords<string>;
  private readonly pending = new Map<string, Promise<boolean>>();
  private readonly queue = new HashQueue();
  private readonly compare: Verify;

  /** @param verify replaced in tests */
  constructor(
    now: () => number,
    private readonly attempts: Attempts,
    verify?: Verify,
  ) {
    this.verified = new VerifiedPasswords(lifetime, now);
    const thread = new BcryptThread();
    this.compare = verify ?? ((password, hash) => thread.verify(password, hash));
  }

  /** Whether a password needs no hash to be accepted. */
  isKnown(username: string, password: string, hash: string | undefined): boolean {
    return hash !== undefined && this.verified.get(username, password) === hash;
  }

  /**
   * Concurrent requests with the same password are one attempt: clients send it with each of their requests.
   * @param hash undefined for an unknown user. @param nobody what an unknown user's password is compared with
   * @throws SignInRefused `busy`; TooManyFailures
   */
  verify(guess: Guess, hash: string | undefined, nobody?: string): Promise<boolean> {
    const mark = this.verified.markOf(guess.username, guess.password);
    const key = `${networkOf(guess.address)} ${mark} ${hash ?? ''}`;
    const same = this.pending.get(key);
    if (same) return same;
    const outcome = this.test(guess, hash, nobody).finally(() => this.pending.delete(key));
    this.pending.set(key, outcome);
    return outcome;
  }

  private async test(
    { username, password, address }: Guess,
    hash: string | undefined,
    nobody = unknown,
  ): Promise<boolean> {
    const attempt = this.attempts.begin(address, username);
    const isPreferred = hash !== undefined && this.attempts.hasSucceeded(address, username);
    let isEqual: boolean;
    try {
      isEqual = await this.queue.run(networkOf(address), isPreferred, () => this.compare(password, hash ?? nobody));
    } catch (error) {
      attempt.cancel();
      throw error;
    }
    if (!isEqual || hash === undefined) {
      attempt.fail();
      return false;
    }
    attempt.succeed();
    this.verified.set(username, password, hash);
    return true;
  }
}
