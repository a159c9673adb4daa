import { describe, expect, it } from 'vitest';
import { forecastOf, type DiskSample } from './disk.forecast.js';

const [hour, day] = [3_600_000, 86_400_000];
const start = Date.UTC(2026, 0, 1);
const growing = (hours: number, perHour: number, from = 1e9): DiskSample[] =>
  Array.from({ length: hours }, (_, index) => [start + index * hour, from + index * perHour]);

describe('a forecast of the disk', () => {
  it('says when the quota is reached', () => {
    const samples = growing(49, 1e6);
    const [now, bytes] = samples.at(-1)!;
    expect(forecastOf(samples, bytes + 48e6)).toEqual({ growth: 24e6, fullAt: now + 2 * day });
    expect(forecastOf(samples, bytes - 1)?.fullAt).toBe(now);
  });

  it('goes by the last week', () => {
    const before = growing(500, 1e9);
    const last = Array.from({ length: 200 }, (_, index): DiskSample => [start + (500 + index) * hour, 7e9]);
    expect(forecastOf([...before, ...last], 8e9)).toEqual({ growth: 0 });
  });

  it.each([
    { why: 'nothing', samples: [] },
    { why: 'less than a day', samples: growing(24, 1) },
    { why: 'two moments', samples: [growing(1, 1)[0]!, [start + 2 * day, 5] as const] },
  ])('says nothing when $why is known', ({ samples }) => {
    expect(forecastOf(samples, 1e12)).toBeUndefined();
  });

  it.each([
    { why: 'without a quota', samples: growing(49, 1e6), quota: undefined },
    { why: 'when less and less is stored', samples: growing(49, -1e6), quota: 1e12 },
    { why: 'more than a year ahead', samples: growing(49, 1), quota: 1e15 },
  ])('names no day $why', ({ samples, quota }) => {
    expect(forecastOf(samples, quota)).toEqual({ growth: expect.any(Number) as number });
  });
});
