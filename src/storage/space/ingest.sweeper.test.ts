import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { timesAroundJump } from '../../../test/fakes/hourly-job.js';
import { ServerSettings } from '../../config/server.settings.js';
import { IngestSweeper } from './ingest.sweeper.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { UploadStore } from '../stores/upload.store.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it.each([-30 * 86_400, -7_200, 7_200, 30 * 86_400])(
  'removes no unfinished write for a day after the time of day has jumped by %d s',
  async (seconds) => {
    const [clock, provider] = [new HandClock(), new MemoryProvider()];
    const uploads = new UploadStore(provider);
    const sweeps = [vi.spyOn(provider, 'sweepIngests'), vi.spyOn(uploads, 'sweep')];
    const sweeper = new IngestSweeper(provider, new ServerSettings(), clock, uploads);
    const times = () => Math.max(...sweeps.map((sweep) => sweep.mock.calls.length));
    expect(await timesAroundJump(sweeper, { clock, seconds, times })).toEqual([3, 3, 5]);
    expect(uploads.sweep).toHaveBeenCalledTimes(5);
  },
);
