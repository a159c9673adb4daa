import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { networkOf } from '../limits/network.of.js';
import { SignInRefused } from '../sign-in.js';

/** Failures that cost nothing: containerd and others try a wrong password twice. */
const free = { pair: 5, network: 50 };
/** Longest wait in milliseconds. */
const longest = 60_000;
/** Milliseconds without a failure after which all are forgotten. */
const memory = 600_000;
const maxEntries = 20_000;
/** Pairs of a network and a user name whose last success is remembered, and for how many milliseconds. */
const maxSuccesses = 4096;
const successLifetime = 7 * 86_400_000;

/** Who compares a password: this server, or a directory, which may hang. */
export type Comparer = 'server' | 'directory';

interface Failures {
  count: number;
  /** When the last one was, monotonic in milliseconds. */
  at: number;
  /** Attempts whose outcome is not known yet. Those of one comparer do not delay the others. */
  readonly pending: Record<Comparer, number>;
}

/** An attempt that has begun. Exactly one of its methods is called, once. */
export interface Attempt {
  succeed(): void;
  /** @param of `user`: it does not count for others of the network */
  fail(of?: 'network' | 'user'): void;
  /** The password has not been compared. */
  cancel(): void;
}

/** `busy` because of failures before. */
export class TooManyFailures extends SignInRefused {
  constructor(retryAfter: number) {
    super('busy', retryAfter);
  }
}

/**
 * Slows whoever guesses: after some failures of a network with a user name, or of a network with any, each further
 * attempt has to wait twice as long. Others with the same name are not affected, so that nobody can lock an account.
 */
export class Attempts {
  private readonly failures: LRUCache<string, Failures>;
  private readonly successes: LRUCache<string, true>;

  constructor(private readonly now: () => number) {
    // By size rather than number: for `max` entries the cache takes 100 bytes each before there is one.
    this.failures = new LRUCache(atMost(maxEntries));
    this.successes = new LRUCache({ ...atMost(maxSuccesses), ttl: successLifetime, perf: { now } });
  }

  /**
   * Until its end an attempt counts as a failure, so that concurrent ones are not all let through.
   * @throws TooManyFailures while the network has to wait
   */
  begin(address: string, username: string, by: Comparer = 'server'): Attempt {
    this.assert(address, username, by);
    const entries = keysOf(address, username).map(({ key }) => ({ key, failures: this.entryOf(key) }));
    for (const { failures } of entries) failures.pending[by] += 1;
    const end = () => {
      for (const { key, failures } of entries) {
        const { pending } = failures;
        pending[by] -= 1;
        const isUnused = pending.server + pending.directory + failures.count === 0;
        if (isUnused && this.failures.peek(key) === failures) this.failures.delete(key);
      }
    };
    return {
      succeed: () => {
        end();
        this.succeed(address, username);
      },
      fail: (of) => {
        end();
        this.fail(address, username, of);
      },
      cancel: end,
    };
  }

  /** @throws TooManyFailures while the network has to wait */
  assert(address: string, username: string, by: Comparer = 'server'): void {
    const waits = keysOf(address, username).map(({ key, allowed }) =>
      this.waitFor(this.failures.get(key), allowed, by),
    );
    const wait = Math.max(...waits);
    if (wait > 0) throw new TooManyFailures(Math.ceil(wait / 1000));
  }

  fail(address: string, username: string, of: 'network' | 'user' = 'network'): void {
    const [pair, network] = keysOf(address, username);
    for (const { key } of of === 'user' ? [pair] : [pair, network]) {
      const failures = this.entryOf(key);
      failures.count += 1;
      failures.at = this.now();
    }
  }

  /** A success forgives the pair, not the network: one valid account must not pay for guesses at others. */
  succeed(address: string, username: string): void {
    const pair = pairOf(networkOf(address), username);
    this.failures.delete(pair);
    this.successes.set(pair, true);
  }

  /** Whether the user has signed in from there within the last days. */
  hasSucceeded(address: string, username: string): boolean {
    return this.successes.has(pairOf(networkOf(address), username));
  }

  private entryOf(key: string): Failures {
    const failures = this.failures.get(key) ?? { count: 0, at: -Infinity, pending: { server: 0, directory: 0 } };
    if (this.now() - failures.at >= memory) failures.count = 0;
    this.failures.set(key, failures);
    return failures;
  }

  /** In milliseconds; what is pending may be a failure of right now. */
  private waitFor(failures: Failures | undefined, allowed: number, by: Comparer): number {
    if (!failures) return 0;
    const elapsed = this.now() - failures.at;
    const pending = failures.pending[by];
    const count = (elapsed >= memory ? 0 : failures.count) + pending;
    const wait = count < allowed ? 0 : Math.min(longest, 1000 * 2 ** Math.min(count - allowed, 10));
    return pending > 0 ? wait : wait - elapsed;
  }
}

function keysOf(address: string, username: string) {
  const network = networkOf(address);
  return [
    { key: pairOf(network, username), allowed: free.pair },
    { key: network, allowed: free.network },
  ] as const;
}

/** User names are cut: they are the client's. */
function pairOf(network: string, username: string): string {
  return `${network} ${username.slice(0, 128)}`;
}
