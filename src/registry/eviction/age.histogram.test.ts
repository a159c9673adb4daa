import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgeHistogram } from './age.histogram.js';

const hour = 3_600_000;

describe('AgeHistogram', () => {
  const cutOf = (ages: readonly number[], need: number) => {
    const histogram = new AgeHistogram();
    for (const age of ages) histogram.add(age, 10);
    const cut = histogram.oldest(need);
    return ages.filter((age) => cut.takes(age, 10));
  };

  it('takes the oldest and no more than is needed', () => {
    expect(
      cutOf(
        [1, 5, 3, 9, 7].map((count) => count * hour),
        20,
      ),
    ).toEqual([9 * hour, 7 * hour]);
    expect(
      cutOf(
        [1, 5, 3].map((count) => count * hour),
        11,
      ),
    ).toEqual([5 * hour, 3 * hour]);
  });

  it('takes only as much of one bucket as is needed', () => {
    expect(cutOf([hour, hour, hour, hour], 20)).toHaveLength(2);
    expect(cutOf([0, 0, 0, -5], 31)).toHaveLength(4);
  });

  it('tells minutes apart in the last hour, and takes anything older than half a year as equal', () => {
    expect(cutOf([10 * 60_000, 20 * 60_000, 15 * 60_000], 10)).toEqual([20 * 60_000]);
    expect(cutOf([8_000 * hour, 9_000 * hour, hour], 20)).toEqual([8_000 * hour, 9_000 * hour]);
  });

  it('takes everything when that is not enough', () => {
    expect(cutOf([0, hour, 2 * hour], 1_000)).toHaveLength(3);
  });

  it('frees what is asked for, with no more than one object too many, the oldest bucket first', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1, max: 6_000 }), { minLength: 1, maxLength: 60 }),
        fc.nat({ max: 700 }),
        (hours, need) => {
          const ages = hours.map((count) => count * hour);
          const taken = cutOf(ages, need);
          const wanted = Math.min(ages.length, Math.ceil(need / 10));
          expect(taken).toHaveLength(wanted);
          const kept = ages.filter((age) => !taken.includes(age));
          const limit = (age: number) => Math.min(age, 4_000 * hour);
          if (taken.length > 0 && kept.length > 0)
            expect(Math.min(...taken.map(limit))).toBeGreaterThanOrEqual(Math.max(...kept.map(limit)) - hour);
        },
      ),
    );
  });
});
