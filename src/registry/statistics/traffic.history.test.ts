import { describe, expect, it } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import type { RegistryStatistics } from './registry.statistics.js';
import { TrafficHistory } from './traffic.history.js';

function make() {
  const clock = new HandClock();
  const statistics = { totals: { sent: 0, received: 0, hits: 0, misses: 0 } };
  return { clock, statistics, history: new TrafficHistory(statistics as unknown as RegistryStatistics, clock) };
}

describe('the history of traffic', () => {
  it('tells what each period brought, the one that runs included', () => {
    const { clock, statistics, history } = make();
    const start = clock.now();
    statistics.totals = { sent: 100, received: 60, hits: 3, misses: 1 };
    clock.pass(300);
    history.endPeriod();
    statistics.totals = { sent: 150, received: 60, hits: 5, misses: 1 };
    clock.pass(10);
    expect(history.entries).toEqual([
      { at: start + 300_000, sent: 100, received: 60, hits: 3, misses: 1 },
      { at: start + 310_000, sent: 50, received: 0, hits: 2, misses: 0 },
    ]);
  });

  it('keeps a day and no more', () => {
    const { clock, statistics, history } = make();
    for (let period = 1; period <= 1000; period += 1) {
      statistics.totals = { ...statistics.totals, sent: period };
      clock.pass(300);
      history.endPeriod();
    }
    const { entries } = history;
    expect(entries).toHaveLength(288);
    expect(entries.at(-1)!.at - entries[0]!.at).toBeLessThanOrEqual(86_400_000);
    expect(entries.slice(0, -1).every(({ sent }) => sent === 1)).toBe(true);
  });
});
