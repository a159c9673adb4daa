import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';
import { UpstreamHealth, type RequestKind } from './upstream.health.js';

let clock: HandClock;
let health: UpstreamHealth;
/** Requests that went out. */
let sent: RequestKind[];
let logged: string[];

beforeEach(() => {
  clock = new HandClock();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  health = new UpstreamHealth('registry.test', 64, clock);
  sent = [];
  logged = [];
  const note = (message: unknown) => void logged.push(String(message));
  vi.spyOn(Logger.prototype, 'warn').mockImplementation(note);
  vi.spyOn(Logger.prototype, 'log').mockImplementation(note);
});
afterEach(() => void vi.restoreAllMocks());

interface Ended {
  readonly kind: UpstreamErrorKind;
  readonly retryAfter: number | undefined;
}

/** Sends one request; undefined when it succeeded, otherwise its error. */
async function ask(kind: RequestKind, failure?: UpstreamErrorKind | Error, retryAfter?: number) {
  try {
    await health.run(kind, 'app', (release) => {
      sent.push(kind);
      release();
      if (failure === undefined) return Promise.resolve();
      return Promise.reject(
        typeof failure === 'string' ? new UpstreamError(failure, 'it failed', retryAfter) : failure,
      );
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return { kind: error.kind, retryAfter: error.retryAfter } satisfies Ended;
  }
}

async function failThreeTimes(failure: UpstreamErrorKind = 'unavailable'): Promise<void> {
  for (let count = 0; count < 3; count += 1) await ask('manifest-get', failure);
  sent = [];
}

describe('an outage', () => {
  it.each(['unavailable', 'timeout', 'unresolved'] as const)(
    'is known after three consecutive failures: %s',
    async (failure) => {
      await ask('manifest-get', failure);
      await ask('blob', failure);
      expect(await ask('manifest-head')).toBeUndefined();
      await failThreeTimes(failure);
      expect(health.isOut).toBe(true);
      for (const kind of ['manifest-head', 'manifest-get', 'blob-head', 'blob', 'tag-list', 'referrers'] as const) {
        expect(await ask(kind)).toMatchObject({ retryAfter: 1 });
      }
      expect(sent).toEqual([]);
    },
  );

  it('is reported with its cause, but never as a timeout that did not happen', async () => {
    const told: Partial<Record<UpstreamErrorKind, UpstreamErrorKind | undefined>> = {};
    for (const failure of ['unavailable', 'timeout', 'unresolved'] as const) {
      health = new UpstreamHealth('registry.test', 64, clock);
      await failThreeTimes(failure);
      told[failure] = (await ask('blob'))?.kind;
    }
    expect(told).toEqual({ unavailable: 'unavailable', timeout: 'unavailable', unresolved: 'unresolved' });
  });

  it('does not begin while the upstream responds, whatever it says', async () => {
    for (const response of ['missing', 'unauthorized', 'denied', 'wrong', 'rate-limited'] as const) {
      await ask('blob', 'unavailable');
      await ask('blob', 'unavailable');
      await ask('manifest-head', response);
      clock.pass(3_600);
    }
    expect(health.isOut).toBe(false);
  });

  it('ends with the first response, even a refusal or 429', async () => {
    for (const response of [undefined, 'missing', 'denied', 'wrong', 'rate-limited'] as const) {
      await failThreeTimes();
      expect(health.isOut).toBe(true);
      clock.pass(3_600);
      await ask('manifest-head', response);
      expect(health.isOut).toBe(false);
    }
  });

  it('does not end with an internal error, which does not block later probes either', async () => {
    await failThreeTimes();
    clock.pass(1);
    await expect(ask('blob', new Error('a mistake'))).rejects.toThrow('a mistake');
    expect(health.isOut).toBe(true);
    await ask('blob');
    expect([health.isOut, sent]).toEqual([false, ['blob', 'blob']]);
  });

  it('is probed by one request at a time, after 1 s, 2 s, 4 s and so on', async () => {
    await failThreeTimes();
    const probes: number[] = [];
    for (let second = 0; second < 120; second += 1) {
      const before = sent.length;
      await Promise.all(Array.from({ length: 10 }, () => ask('manifest-head', 'unavailable')));
      if (sent.length > before) probes.push(second);
      expect(sent.length - before).toBeLessThanOrEqual(1);
      clock.pass(1);
    }
    expect(probes).toEqual([1, 3, 7, 15, 31, 63]);
  });

  it('begins at once on a Retry-After, and lasts as long', async () => {
    await ask('manifest-get', 'unavailable', 300);
    expect(await ask('manifest-get')).toEqual({ kind: 'unavailable', retryAfter: 300 });
    clock.pass(100);
    expect(await ask('blob')).toEqual({ kind: 'unavailable', retryAfter: 200 });
    clock.pass(200);
    expect(await ask('blob')).toBeUndefined();
  });

  it('is logged when it begins and when it ends, not for each request', async () => {
    await failThreeTimes();
    for (let count = 0; count < 100; count += 1) await ask('manifest-head', 'unavailable');
    expect(logged).toEqual(['it failed; serving cached content until it recovers']);
    for (let probe = 0; probe < 5; probe += 1) {
      clock.pass(60);
      await ask('manifest-head', 'unavailable');
    }
    expect(logged).toHaveLength(1);
    clock.pass(60);
    for (let count = 0; count < 100; count += 1) await ask('manifest-head');
    expect(logged.slice(1)).toEqual(['registry.test is available again']);
  });

  it('is not inferred from lists: registries without those endpoints respond with all kinds of errors', async () => {
    for (let count = 0; count < 10; count += 1) {
      expect(await ask('referrers', 'unavailable')).toMatchObject({ kind: 'unavailable' });
    }
    expect(sent).toEqual(['referrers']);
    expect(health.isOut).toBe(false);
    expect(await ask('tag-list')).toBeUndefined();
    expect(await ask('manifest-get')).toBeUndefined();
  });
});

describe('a limit', () => {
  it.each(['manifest-head', 'manifest-get', 'blob-head', 'blob', 'tag-list', 'referrers'] as const)(
    'pauses only requests of the kind that it concerns: %s',
    async (limited) => {
      await ask(limited, 'rate-limited', 60);
      sent = [];
      const kinds = ['manifest-head', 'manifest-get', 'blob-head', 'blob', 'tag-list', 'referrers'] as const;
      for (const kind of kinds) {
        expect(await ask(kind)).toEqual(kind === limited ? { kind: 'rate-limited', retryAfter: 60 } : undefined);
      }
      expect(sent).toEqual(kinds.filter((kind) => kind !== limited));
      clock.pass(60);
      expect(await ask(limited)).toBeUndefined();
      expect(logged).toEqual([
        `it failed; ${limited} requests are paused, serving cached content`,
        `registry.test accepts ${limited} requests again`,
      ]);
    },
  );

  it('stays although a request in flight succeeds', async () => {
    let respond: (() => void) | undefined;
    const underWay = health.run('manifest-get', 'app', () => new Promise<void>((resolve) => (respond = resolve)));
    await ask('manifest-get', 'rate-limited', 60);
    respond?.();
    await underWay;
    expect(await ask('manifest-get')).toEqual({ kind: 'rate-limited', retryAfter: 60 });
  });

  it('of pulls is known from the headers of any response, for as long as they say', () => {
    expect(health.rateLimit).toBeUndefined();
    health.observe({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' });
    health.observe({});
    expect(health.rateLimit).toMatchObject({ limit: 100, remaining: 76, window: 21_600 });
    clock.pass(21_599);
    expect(health.rateLimit?.remaining).toBe(76);
    clock.pass(1);
    expect(health.rateLimit).toBeUndefined();
  });

  it('of pulls is logged once when it is exhausted', () => {
    for (const remaining of [2, 1, 0, 0, 0]) {
      health.observe({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': `${remaining};w=21600` });
    }
    expect(logged).toEqual(['registry.test has no pulls left of its limit of 100 in 21600 s']);
  });
});

describe('a slow upstream', () => {
  it('is known for ten seconds, or until it responds', async () => {
    health.noteSlow();
    expect(health.isSlow).toBe(true);
    clock.pass(9.9);
    expect(health.isSlow).toBe(true);
    clock.pass(0.1);
    expect(health.isSlow).toBe(false);
    health.noteSlow();
    await ask('blob', 'timeout');
    expect(health.isSlow).toBe(true);
    await ask('blob', 'missing');
    expect(health.isSlow).toBe(false);
  });
});

describe('connections to an upstream', () => {
  /** As many requests as there are places, which hold theirs. */
  async function fill(kind: RequestKind, count: number) {
    const releases: (() => void)[] = [];
    for (let index = 0; index < count; index += 1) {
      void health.run(kind, `app-${index % 3}`, (release) => {
        releases.push(release);
        return Promise.resolve();
      });
    }
    await new Promise(setImmediate);
    return releases;
  }

  it.each([2, 3, 8, 24, 64, 200])('are at most the configured %d', async (most) => {
    health = new UpstreamHealth('registry.test', most, clock);
    const short = await fill('manifest-get', most * 2);
    const long = await fill('blob', most * 2);
    expect(short.length).toBeGreaterThan(0);
    expect(long.length).toBeGreaterThan(0);
    expect(short.length + long.length).toBe(most);
    // Everybody who waits gets a place in the end: each release lets the next one in.
    for (const release of [...short, ...long]) release();
    for (let count = 0; count < most * 4; count += 1) {
      await new Promise(setImmediate);
      for (const release of [...short, ...long]) release();
    }
    expect([short.length, long.length]).toEqual([most * 2, most * 2]);
  });

  it('are left for short requests while blobs hold theirs', async () => {
    const places = await fill('blob', 100);
    expect(await ask('manifest-get')).toBeUndefined();
    expect(await ask('blob-head')).toBeUndefined();
    expect(await ask('tag-list')).toBeUndefined();
    // Nothing is left waiting for the end of its deadline. Each release adds another place.
    for (const release of places) {
      release();
      await new Promise(setImmediate);
    }
    expect(places).toHaveLength(100);
  });

  it('are free again after failures of all kinds', async () => {
    health = new UpstreamHealth('registry.test', 2, clock);
    for (const failure of ['missing', 'wrong', 'unavailable', 'timeout', 'rate-limited'] as const) {
      for (const kind of ['manifest-get', 'blob'] as const) {
        await health
          .run(kind, 'app', () => Promise.reject(new UpstreamError(failure, 'it failed')))
          .catch(() => undefined);
        clock.pass(3_600);
      }
    }
    expect(await ask('manifest-get')).toBeUndefined();
    expect(await ask('blob')).toBeUndefined();
  });

  it('are not used when the circuit has opened while waiting', async () => {
    health = new UpstreamHealth('registry.test', 2, clock);
    let fail: ((error: Error) => void) | undefined;
    const first = health.run('blob', 'app', () => new Promise<void>((_, reject) => (fail = reject)));
    await new Promise(setImmediate);
    const waiting = Array.from({ length: 20 }, () => ask('blob', 'unavailable'));
    fail?.(new UpstreamError('unavailable', 'it failed'));
    await expect(first).rejects.toThrow('it failed');
    await Promise.all(waiting);
    expect(sent).toHaveLength(2);
  });

  it('are awaited for at most 20 s, which does not count against the upstream', async () => {
    vi.useFakeTimers();
    try {
      health = new UpstreamHealth('registry.test', 2, clock);
      void health.run('blob', 'app', () => Promise.resolve());
      const ended = [1, 2, 3, 4].map(() => ask('blob'));
      await vi.advanceTimersByTimeAsync(19_999);
      expect(sent).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect((await Promise.all(ended)).map((end) => end?.kind)).toEqual(Array(4).fill('unavailable'));
      expect([health.isOut, sent, logged]).toEqual([false, [], []]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('evidence', () => {
  const other = 'cdn.test';

  /** Sends one request for a repository that fails with a status, or without one. */
  async function fail(repository: string, kind: RequestKind, status?: number, host = 'registry.test') {
    const source = status === undefined ? { host } : { host, status };
    const failing = () => Promise.reject(new UpstreamError('unavailable', 'it failed', undefined, source));
    await health.run(kind, repository, failing).catch(() => undefined);
  }

  async function isServed(repository: string, kind: RequestKind): Promise<boolean> {
    const serve = (release: () => void) => {
      release();
      return Promise.resolve(true);
    };
    return health.run(kind, repository, serve).catch(() => false);
  }

  it('of a 5xx concerns the repository and the endpoint', async () => {
    for (let count = 0; count < 3; count += 1) await fail('bad', 'manifest-get', 500);
    expect([health.isOut, health.failingRepositories]).toEqual([false, 1]);
    expect(await isServed('bad', 'manifest-get')).toBe(false);
    expect(await isServed('bad', 'manifest-head')).toBe(false);
    expect(await isServed('bad', 'blob')).toBe(true);
    expect(await isServed('good', 'manifest-get')).toBe(true);
    clock.pass(1);
    expect(await isServed('bad', 'manifest-head')).toBe(true);
    expect(health.failingRepositories).toBe(0);
    expect(logged).toEqual([
      'it failed for manifests of bad; serving cached content until it recovers',
      'registry.test is available again for manifests of bad',
    ]);
  });

  it('of 5xx for three repositories in 30 s concerns the host', async () => {
    for (const name of ['a', 'b', 'b', 'a']) await fail(name, 'manifest-get', 500);
    clock.pass(31);
    await fail('c', 'blob', 500);
    expect(health.isOut).toBe(false);
    await fail('d', 'blob', 500);
    await fail('e', 'manifest-head', 500);
    expect(health.isOut).toBe(true);
    expect(await isServed('good', 'blob')).toBe(false);
    // It still fails for a repository when it is probed.
    clock.pass(1);
    await fail('f', 'blob', 500);
    clock.pass(1);
    expect(await isServed('good', 'blob')).toBe(false);
    clock.pass(1);
    expect(await isServed('good', 'blob')).toBe(true);
    expect(health.isOut).toBe(false);
  });

  it('of an unreachable host is refuted by a 5xx', async () => {
    for (let count = 0; count < 3; count += 1) await fail('a', 'blob');
    expect(health.isOut).toBe(true);
    clock.pass(1);
    await fail('a', 'blob', 500);
    expect(health.isOut).toBe(false);
    expect(await isServed('b', 'blob')).toBe(true);
  });

  it.each([undefined, 503])('of another host concerns what it was asked for: %s', async (status) => {
    for (const name of ['a', 'a', 'a']) await fail(name, 'blob', status, other);
    expect(await isServed('a', 'blob')).toBe(false);
    expect(await isServed('b', 'blob')).toBe(true);
    for (const name of ['b', 'c', 'd']) await fail(name, 'blob', status, other);
    expect(await isServed('e', 'blob')).toBe(false);
    expect([health.isOut, health.limited]).toEqual([false, ['blob']]);
    expect(await isServed('a', 'manifest-get')).toBe(true);
    clock.pass(2);
    expect(await isServed('e', 'blob')).toBe(true);
  });

  it('of a list that takes too long concerns that list', async () => {
    await ask('tag-list', 'timeout');
    expect(await isServed('app', 'tag-list')).toBe(false);
    expect(await isServed('other', 'tag-list')).toBe(true);
  });

  it('is bounded, however many repositories fail', async () => {
    for (let index = 0; index < 1_000; index += 1) {
      for (let count = 0; count < 3; count += 1) await fail(`bad-${index}`, 'blob', 500);
      await isServed('good', 'blob');
    }
    expect(health.failingRepositories).toBeLessThanOrEqual(200);
  });
});
