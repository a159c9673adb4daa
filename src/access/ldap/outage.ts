import { SignInRefused } from '../sign-in.js';

/** Milliseconds between two requests to a directory that is down: doubled after each, up to the longest. */
const pauses = { first: 1_000, longest: 30_000 };

/** Whether a directory is down. Then one request at a time finds out whether it still is, after longer and longer pauses. */
export class Outage {
  /** 0 while there is none. */
  private pause = 0;
  private nextTry = 0;
  private lastChange = -Infinity;
  private isCertain = false;

  /**
   * @param now monotonic, in milliseconds
   * @param timeout milliseconds after which a request to the directory has ended
   */
  constructor(
    private readonly now: () => number,
    private readonly timeout: number,
  ) {}

  /**
   * Takes the turn to ask the directory.
   * @param isKnown whether somebody has signed in before. They are refused only when the outage is certain: whoever guesses
   * at a directory that delays its refusals must not keep them out.
   * @throws SignInRefused while there is an outage and it is not yet time to ask again
   */
  enter(isKnown: boolean): void {
    if (isKnown && !this.isCertain) return;
    this.assertNone();
    if (this.pause > 0) this.nextTry = this.now() + this.timeout + this.pause;
  }

  /** @throws SignInRefused while there is an outage and it is not yet time to ask again */
  assertNone(): void {
    const wait = this.pause === 0 ? 0 : this.nextTry - this.now();
    if (wait > 0) throw new SignInRefused('unavailable', Math.ceil(wait / 1000));
  }

  /** @param beganAt when the directory was asked. @param isCertain false when it may have delayed a refusal */
  fail(beganAt: number, isCertain: boolean): void {
    // Of several at once only the first counts, and none that began before a response.
    if (beganAt < this.lastChange) return;
    this.pause = Math.min(pauses.longest, Math.max(pauses.first, this.pause * 2));
    this.lastChange = this.now();
    this.nextTry = this.lastChange + this.pause;
    this.isCertain = isCertain;
  }

  /** The directory has responded. */
  end(): void {
    this.pause = 0;
    this.isCertain = false;
    this.lastChange = this.now();
  }
}
