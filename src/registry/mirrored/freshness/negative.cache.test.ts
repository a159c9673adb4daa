import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { UpstreamError, type UpstreamErrorKind } from '../../../upstream/upstream-error.js';
import { NegativeCache } from './negative.cache.js';

const hex = 'a'.repeat(64);
let clock: HandClock;
let cache: NegativeCache;
let asked: number;
beforeEach(() => {
  clock = new HandClock();
  cache = new NegativeCache(clock);
  asked = 0;
});

const respond = (key: string, kind?: UpstreamErrorKind) =>
  cache
    .guard(key, () => {
      asked += 1;
      return kind ? Promise.reject(new UpstreamError(kind, 'no')) : Promise.resolve('yes');
    })
    .catch((error: unknown) => (error instanceof UpstreamError ? error.kind : error));

/** Seconds, to a tenth, for which a refusal is remembered. */
async function remembered(key: string, kind: UpstreamErrorKind): Promise<number> {
  await respond(key, kind);
  for (let tenths = 0; tenths < 1_000; tenths += 1) {
    if ((await respond(key)) === 'yes') return tenths / 10;
    clock.pass(0.1);
  }
  return Infinity;
}

describe('the negative cache', () => {
  it.each([
    ['registry.test/app:1.0', 'missing', 10],
    ['registry.test/app:1.0', 'unauthorized', 10],
    ['registry.test/app:1.0', 'denied', 10],
    [`registry.test/app:sha256-${hex}`, 'missing', 30],
    [`registry.test/app:sha256-${hex}.sig`, 'missing', 30],
    [`registry.test/app:sha512-${hex}${hex}.att`, 'missing', 30],
    [`registry.test/app:sha256-${hex}.sig`, 'unauthorized', 10],
    [`registry.test/app:sha256-${hex}.sig`, 'denied', 10],
    ['registry.test/app:sha256-1.0', 'missing', 10],
    [`manifest registry.test/app sha256:${hex}`, 'missing', 10],
  ] as const)('remembers for %s that it is %s, for %d s', async (key, kind, seconds) => {
    expect(await remembered(key, kind)).toBeCloseTo(seconds, 0);
  });

  it.each(['refused', 'unresolved', 'rate-limited', 'unavailable', 'timeout', 'wrong'] as const)(
    'does not remember that something is %s',
    async (kind) => {
      expect(await remembered('registry.test/app:1.0', kind)).toBe(0);
    },
  );

  it('costs one upstream request when many clients request absent content', async () => {
    await respond('registry.test/app:1.0', 'missing');
    for (let count = 0; count < 100; count += 1) expect(await respond('registry.test/app:1.0')).toBe('missing');
    expect(asked).toBe(1);
  });

  it('keeps keys apart', async () => {
    await respond(`manifest registry.test/app sha256:${hex}`, 'missing');
    expect(await respond(`blob registry.test/app sha256:${hex}`)).toBe('yes');
    expect(await respond(`manifest registry.test/other sha256:${hex}`)).toBe('yes');
  });

  it('is not extended by lookups', async () => {
    await respond('registry.test/app:1.0', 'missing');
    clock.pass(9);
    expect(await respond('registry.test/app:1.0')).toBe('missing');
    clock.pass(1);
    expect(await respond('registry.test/app:1.0')).toBe('yes');
  });

  it('is not affected by jumps of the system clock', async () => {
    await respond('registry.test/app:1.0', 'missing');
    clock.jump(-5 * 86_400);
    clock.pass(10);
    expect(await respond('registry.test/app:1.0')).toBe('yes');
    await respond('registry.test/app:1.0', 'missing');
    clock.jump(5 * 86_400);
    expect(await respond('registry.test/app:1.0')).toBe('missing');
  });

  it('drops the oldest of more than ten thousand', async () => {
    for (let count = 0; count <= 10_000; count += 1) await respond(`registry.test/app:${count}`, 'missing');
    expect(await respond('registry.test/app:0')).toBe('yes');
    expect(await respond('registry.test/app:1')).toBe('missing');
    expect(await respond('registry.test/app:10000')).toBe('missing');
  });
});
