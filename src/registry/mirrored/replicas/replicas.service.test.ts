import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { timesAroundJump } from '../../../../test/fakes/hourly-job.js';
import { ServerSettings } from '../../../config/server.settings.js';
import { LeaseStore } from '../../../storage/stores/lease.store.js';
import { MemoryProvider } from '../../../storage/providers/memory/memory.provider.js';
import { SystemResolver } from '../../../upstream/transport/resolver.js';
import { PeerClient } from '../../../upstream/transport/peer.client.js';
import { ReplicasService } from './replicas.service.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it.each([-30 * 86_400, -7_200, 7_200, 30 * 86_400])(
  'removes no lease for a day after the time of day has jumped by %d s',
  async (seconds) => {
    const [clock, store] = [new HandClock(), new LeaseStore(new MemoryProvider())];
    const sweep = vi.spyOn(store, 'sweep');
    const settings = Object.assign(new ServerSettings(), { advertiseUrl: 'http://10.0.0.7:8080' });
    const replicas = new ReplicasService(store, new PeerClient(new SystemResolver(), clock, settings), settings, clock);
    const times = () => sweep.mock.calls.length;
    expect(await timesAroundJump(replicas, { clock, seconds, times })).toEqual([3, 3, 5]);
  },
);
