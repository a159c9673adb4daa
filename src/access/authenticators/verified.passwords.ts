import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { createHmac, randomBytes } from 'node:crypto';

const maxEntries = 1024;

/** Passwords that were accepted lately, as keyed hashes of name and password, each with what is known of the user. */
export class VerifiedPasswords<T extends object | string> {
  private readonly key = randomBytes(32);
  private readonly entries: LRUCache<string, T>;

  /** @param lifetime milliseconds, more than 0. @param now monotonic, in milliseconds */
  constructor(lifetime: number, now: () => number) {
    this.entries = new LRUCache({ ...atMost(maxEntries), ttl: lifetime, perf: { now } });
  }

  get(username: string, password: string): T | undefined {
    return this.entries.get(this.markOf(username, password));
  }

  set(username: string, password: string, value: T): void {
    this.entries.set(this.markOf(username, password), value);
  }

  /** A keyed hash that stands for a name with a password. */
  markOf(username: string, password: string): string {
    return createHmac('sha256', this.key)
      .update(JSON.stringify([username, password]))
      .digest('base64');
  }
}
