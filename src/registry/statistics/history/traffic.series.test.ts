import { describe, expect, it } from 'vitest';
import { noTraffic, TrafficSeries } from './traffic.series.js';

const start = Date.UTC(2026, 0, 1);
const traffic = { sent: 100, received: 60, hits: 3, misses: 1 };

describe('a series of traffic', () => {
  it('tells what each period brought, the one that runs included', () => {
    const series = new TrafficSeries(300_000, 288);
    series.add(start + 300_000, traffic);
    series.add(start + 310_000, { sent: 50, received: 0, hits: 2, misses: 0 });
    series.add(start + 320_000, { sent: 1, received: 0, hits: 0, misses: 0 });
    expect(series.entries(start + 320_000)).toEqual([
      { at: start + 300_000, ...traffic },
      { at: start + 320_000, sent: 51, received: 0, hits: 2, misses: 0 },
    ]);
  });

  it('has a day and no more, periods without traffic included', () => {
    const series = new TrafficSeries(300_000, 288);
    for (let period = 1; period <= 1000; period += 2) series.add(start + period * 300_000, traffic);
    const entries = series.entries(start + 1000 * 300_000);
    expect(entries).toHaveLength(288);
    expect(entries.map(({ sent }) => sent)).toEqual(entries.map((_, index) => (index % 2 === 0 ? 100 : 0)));
    expect(series.toJSON()).toHaveLength(144);
  });

  it('is one running period without any traffic', () => {
    expect(new TrafficSeries(300_000, 288).entries(start + 1)).toEqual([{ at: start + 1, ...noTraffic }]);
  });

  it('adds what another process stored, in the same periods, and ignores anything else', () => {
    const one = new TrafficSeries(300_000, 288);
    const other = new TrafficSeries(300_000, 288);
    one.add(start + 1, traffic);
    other.add(start + 2, traffic);
    other.addStored(start + 3, JSON.parse(JSON.stringify(one)));
    for (const damaged of [undefined, 'x', 5, {}, [1], [[1, 2]], [[1, 2, 3, 4, -5]], [['1', 2, 3, 4, 5]], [null]]) {
      other.addStored(start + 3, damaged);
    }
    expect(other.entries(start + 3)).toEqual([{ at: start + 3, sent: 200, received: 120, hits: 6, misses: 2 }]);
  });

  it('has a bound for what is stored by others, and forgets the future of a clock that was set back', () => {
    const series = new TrafficSeries(300_000, 10);
    const number = start / 300_000;
    series.addStored(
      start,
      Array.from({ length: 1_000 }, (_, index) => [number - 500 + index, 1, 1, 1, 1]),
    );
    series.add(start + 10 * 300_000, traffic);
    series.add(start + 300_000, traffic);
    expect(series.toJSON().length).toBeLessThanOrEqual(10);
    expect(series.entries(start + 300_000).at(-1)!.sent).toBe(100);
  });
});
