import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HandClock } from '../../test/fakes/hand-clock.js';
import { ServerSettings } from '../config/server.settings.js';
import { IngestSweeper } from './ingest.sweeper.js';
import { MemoryProvider } from './providers/memory/memory.provider.js';

const hour = 3_600_000;

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it.each([-30 * 86_400, -7_200, 7_200, 30 * 86_400])(
  'removes no unfinished write for a day after the time of day has jumped by %d s',
  async (seconds) => {
    const [clock, provider] = [new HandClock(), new MemoryProvider()];
    const sweep = vi.spyOn(provider, 'sweepIngests');
    const sweeper = new IngestSweeper(provider, new ServerSettings(), clock);
    const pass = async (hours: number) => {
      for (let count = 0; count < hours; count += 1) {
        clock.pass(3_600);
        await vi.advanceTimersByTimeAsync(hour);
      }
    };
    sweeper.onApplicationBootstrap();
    await pass(2);
    expect(sweep).toHaveBeenCalledTimes(3);
    clock.jump(seconds);
    await pass(24);
    expect(sweep).toHaveBeenCalledTimes(3);
    await pass(2);
    expect(sweep).toHaveBeenCalledTimes(5);
    await sweeper.onApplicationShutdown();
  },
);
