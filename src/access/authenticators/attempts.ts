import { LRUCache } from 'lru-cache';
import { SignInRefused } from '../sign-in.js';

/** Failures that cost nothing: containerd and others try a wrong password twice. */
const free = { pair: 5, address: 50 };
/** Longest wait in milliseconds. */
const longest = 60_000;
/** Milliseconds without a failure after which all are forgotten. */
const memory = 600_000;
const maxEntries = 20_000;

interface Failures {
  count: number;
  /** Monotonic, in milliseconds. */
  notBefore: number;
}

/**
 * Slows whoever guesses: after some failures of an address with a user name, or of an address with any, each further
 * attempt has to wait twice as long. Others with the same name are not affected, so that nobody can lock an account.
 */
export class Attempts {
  private readonly failures: LRUCache<string, Failures>;

  constructor(private readonly now: () => number) {
    this.failures = new LRUCache({ max: maxEntries, ttl: memory, perf: { now } });
  }

  /** @throws SignInRefused `busy` while the address has to wait */
  assert(address: string, username: string): void {
    const now = this.now();
    const until = Math.max(...keysOf(address, username).map(({ key }) => this.failures.get(key)?.notBefore ?? 0));
    if (until > now) throw new SignInRefused('busy', Math.ceil((until - now) / 1000));
  }

  fail(address: string, username: string): void {
    for (const { key, allowed } of keysOf(address, username)) {
      const count = (this.failures.get(key)?.count ?? 0) + 1;
      const wait = count < allowed ? 0 : Math.min(longest, 1000 * 2 ** Math.min(count - allowed, 10));
      this.failures.set(key, { count, notBefore: this.now() + wait });
    }
  }

  /** A success forgives the pair, not the address: one valid account must not pay for guesses at others. */
  succeed(address: string, username: string): void {
    this.failures.delete(pairOf(address, username));
  }
}

function keysOf(address: string, username: string) {
  return [
    { key: pairOf(address, username), allowed: free.pair },
    { key: address, allowed: free.address },
  ];
}

/** User names are cut: they are the client's. */
function pairOf(address: string, username: string): string {
  return `${address} ${username.slice(0, 128)}`;
}
