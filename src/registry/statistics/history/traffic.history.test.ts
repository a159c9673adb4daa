import { describe, expect, it } from 'vitest';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { ServerSettings } from '../../../config/server.settings.js';
import { MemoryProvider } from '../../../storage/providers/memory/memory.provider.js';
import { TrafficStore } from '../../../storage/stores/history/traffic.store.js';
import { StorageError } from '../../../storage/storage-error.js';
import type { RegistryStatistics } from '../registry.statistics.js';
import { CombinedHistory } from './combined.history.js';
import { TrafficHistory } from './traffic.history.js';

/** A process on a storage. */
class Process {
  readonly clock = new HandClock();
  readonly counts = {
    totals: { sent: 0, received: 0, hits: 0, misses: 0 },
    space: { isMeasured: true, bytes: 1_000, quota: 9_000 as number | undefined },
  };
  readonly history: TrafficHistory;
  readonly combined: CombinedHistory;

  constructor(provider: MemoryProvider, worker?: number, isShared = worker !== undefined) {
    const settings = Object.assign(new ServerSettings(), { worker });
    const store = new TrafficStore(provider, isShared);
    const statistics = this.counts as unknown as RegistryStatistics;
    this.history = new TrafficHistory(statistics, this.clock, store, settings);
    this.combined = new CombinedHistory(this.history, store, statistics, this.clock);
    this.history.onApplicationBootstrap();
  }

  sends(bytes: number): void {
    const { totals } = this.counts;
    this.counts.totals = { ...totals, sent: totals.sent + bytes, hits: totals.hits + 1 };
  }
}

describe('the history of traffic', () => {
  it('survives a restart', async () => {
    const provider = new MemoryProvider();
    const first = new Process(provider);
    first.sends(100);
    await first.history.beforeApplicationShutdown();
    const second = new Process(provider);
    second.clock.pass(3_600);
    second.sends(7);
    await second.history.write();
    const { day, month } = await second.combined.view();
    expect(day.map(({ sent }) => sent).filter((sent) => sent > 0)).toEqual([100, 7]);
    expect(month.map(({ sent, hits }) => [sent, hits])).toEqual([
      [100, 1],
      [7, 1],
    ]);
    await second.history.beforeApplicationShutdown();
    const third = new Process(provider);
    third.clock.pass(3_600);
    await third.history.write();
    expect((await third.combined.view()).month.map(({ sent }) => sent)).toEqual([100, 7]);
    await third.history.beforeApplicationShutdown();
  });

  it('is of all processes, and shows which of them run', async () => {
    const provider = new MemoryProvider();
    const [one, other] = [new Process(provider, 1), new Process(provider, 2)];
    one.sends(100);
    other.sends(11);
    await one.history.write();
    await other.history.write();
    const { day, replicas } = await one.combined.view();
    expect(day.reduce((sum, { sent }) => sum + sent, 0)).toBe(111);
    expect(replicas.map(({ worker, isThisOne }) => [worker, isThisOne])).toEqual([
      [1, true],
      [2, false],
    ]);
    for (const each of [one, other]) await each.history.beforeApplicationShutdown();
  });

  it('reads the storage once a minute at most', async () => {
    const provider = new MemoryProvider();
    const process = new Process(provider, 1);
    let lists = 0;
    const list = provider.list.bind(provider);
    provider.list = (prefix) => {
      lists += 1;
      return list(prefix);
    };
    await Promise.all(Array.from({ length: 50 }, () => process.combined.view()));
    process.clock.pass(59);
    await process.combined.view();
    expect(lists).toBe(1);
    process.clock.pass(1);
    await process.combined.view();
    expect(lists).toBe(2);
    await process.history.beforeApplicationShutdown();
  });

  it('writes nothing when nothing happened, unless others shall see it', async () => {
    const provider = new MemoryProvider();
    let writes = 0;
    const write = provider.write.bind(provider);
    provider.write = (key, content) => {
      writes += 1;
      return write(key, content);
    };
    const alone = new Process(provider);
    await alone.history.write();
    expect(writes).toBe(0);
    const shared = new Process(provider, 3);
    await shared.history.write();
    expect(writes).toBe(1);
    for (const each of [alone, shared]) await each.history.beforeApplicationShutdown();
  });

  it('stays in memory while the storage fails, and replaces nothing that it has not read', async () => {
    const provider = new MemoryProvider();
    const first = new Process(provider);
    first.sends(100);
    await first.history.beforeApplicationShutdown();
    const read = provider.read.bind(provider);
    provider.read = () => Promise.reject(new StorageError('failed', 'it fails'));
    const second = new Process(provider);
    second.sends(5);
    await second.history.write();
    provider.read = read;
    await second.history.write();
    expect((await second.combined.view()).month.map(({ sent }) => sent)).toEqual([105]);
    await second.history.beforeApplicationShutdown();
  });

  it('forgets processes that are gone for 30 days, and has a bound on their number', async () => {
    const provider = new MemoryProvider();
    const store = new TrafficStore(provider, true);
    for (let index = 0; index < 70; index += 1) await store.write(`replica ${index}`, { month: [] });
    expect(await store.others('this one', 0)).toHaveLength(64);
    expect(await store.others('this one', 0)).toHaveLength(64);
    expect(await store.others('this one', Date.now() + 1_000)).toEqual([]);
    expect(await store.others('this one', 0)).toEqual([]);
  });
});
