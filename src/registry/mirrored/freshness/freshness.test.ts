import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ageOf, decide, freshnessOf, type Freshness, type FreshnessPolicy, type UpstreamOutcome } from './freshness.js';

const now = Date.UTC(2026, 0, 1);
const minute = 60_000;
const day = 86_400_000;
const policy: FreshnessPolicy = { tagTtl: 10 * minute, staleWhileRevalidate: 0 };
const aged = (age: number, changes: Partial<FreshnessPolicy> = {}) =>
  freshnessOf({ checkedAt: now - age }, { ...policy, ...changes }, now);

describe('a record', () => {
  it('is unknown when there is none', () => {
    expect(freshnessOf(undefined, policy, now)).toBe('unknown');
  });

  it('is fresh until its time is over', () => {
    expect([0, 10 * minute - 1, 10 * minute, 100 * day].map((age) => aged(age))).toEqual([
      'fresh',
      'fresh',
      'stale',
      'stale',
    ]);
  });

  it('is never fresh with 0s', () => {
    expect([0, 1, day].map((age) => aged(age, { tagTtl: 0 }))).toEqual(['stale', 'stale', 'stale']);
  });

  it('is fresh for longer than anybody lives with the longest time', () => {
    expect(aged(99 * 365 * day, { tagTtl: 36_525 * day })).toBe('fresh');
  });

  it('is ageing inside stale_while_revalidate, and stale after it', () => {
    const changes = { staleWhileRevalidate: 5 * minute };
    expect([10, 14.9, 15].map((age) => aged(age * minute, changes))).toEqual(['ageing', 'ageing', 'stale']);
  });

  it('is expired beyond max_stale', () => {
    const changes = { maxStale: 60 * minute };
    expect([9, 10, 70, 70.1].map((age) => aged(age * minute, changes))).toEqual(['fresh', 'stale', 'stale', 'expired']);
  });

  it('is stale for no moment with a max_stale of 0s', () => {
    expect([10 * minute - 1, 10 * minute + 1].map((age) => aged(age, { maxStale: 0 }))).toEqual(['fresh', 'expired']);
  });

  it('is expired beyond max_stale although stale_while_revalidate is longer', () => {
    const changes = { maxStale: 5 * minute, staleWhileRevalidate: 60 * minute };
    expect([12, 16].map((age) => aged(age * minute, changes))).toEqual(['ageing', 'expired']);
  });

  it('is only good for an outage when it comes from the future', () => {
    for (const ahead of [1, minute, 1_000 * day]) {
      expect(aged(-ahead, { staleWhileRevalidate: day, maxStale: day })).toBe('stale');
    }
  });
});

describe('the age of a record', () => {
  it('is in whole seconds and never negative', () => {
    expect([0, 999, 1_000, 61_500, -1, -5 * day].map((age) => ageOf({ checkedAt: now - age }, now))).toEqual([
      0, 0, 1, 61, 0, 0,
    ]);
  });
});

describe('the decision after an outcome', () => {
  const states: Freshness[] = ['fresh', 'ageing', 'stale', 'expired', 'unknown'];
  const responses: UpstreamOutcome[] = ['same', 'moved', 'refused', 'failed'];

  it('never hides a refusal, and has something to serve after a failure only where that is allowed', () => {
    const table = states.map((state) => responses.map((response) => decide(state, response)));
    expect(table).toEqual([
      ['refresh', 'replace', 'forget', 'serve-stale'],
      ['refresh', 'replace', 'forget', 'serve-stale'],
      ['refresh', 'replace', 'forget', 'serve-stale'],
      ['refresh', 'replace', 'forget', 'fail'],
      ['refresh', 'replace', 'forget', 'fail'],
    ]);
  });

  it('is never to trust a record for longer than its times together, wherever the clock jumps', () => {
    const time = fc.integer({ min: 0, max: 40_000 * day });
    fc.assert(
      fc.property(time, time, time, time, time, (checkedAt, at, time_, swr, maxStale) => {
        const freshness = freshnessOf({ checkedAt }, { tagTtl: time_, staleWhileRevalidate: swr, maxStale }, at);
        const age = at - checkedAt;
        if (freshness === 'fresh') expect(age >= 0 && age < time_).toBe(true);
        if (age > time_ + maxStale) expect(decide(freshness, 'failed')).toBe('fail');
        if (age > time_ + maxStale) expect(freshness).toBe('expired');
      }),
    );
  });
});
