import { setTimeout as sleep } from 'node:timers/promises';
import { blobOf } from '../../content/bytes.js';
import { runCrowd } from '../../load/crowd.js';
import { meter } from '../../processes/meter.js';
import { readUsage } from '../../processes/usage.js';
import { blobUrl, Stand, type Setting } from '../stand.js';
import { get, outcomeOf } from '../get.js';
import type { Trial } from '../trial.js';

const clients = 200;
const size = 20_000_000;
const pulls = 10;
/** Milliseconds after the start. */
const rest = 10_000;

const pullsOfOneTag: Trial = {
  row: `${pulls} pulls of one tag: requests for its manifest at the upstream`,
  run: async (setting) => {
    const stand = await Stand.open(setting);
    await stand.fill();
    for (let pull = 1; pull < pulls; pull++) await stand.failureOfPull();
    const count = (method: string): number => stand.upstream.count({ kind: 'manifest', method });
    return `${count('GET')} GET, ${count('HEAD')} HEAD`;
  },
};

const crowd: Trial = {
  row: `${clients} clients, one blob of 20 MB that is not stored: downloads; peak memory`,
  run: async (setting) => {
    const stand = await Stand.open(setting, {}, { bytesPerSecond: 20_000_000, slowKinds: ['blob'] });
    const content = { size, seed: 'comparison crowd' };
    const { digest, bytes } = blobOf(content.size, content.seed);
    stand.upstream.addBlob('team/app', { digest, body: bytes });
    const url = blobUrl(stand.origin, digest);
    const { outcome, peakMiB } = await meter(stand.pid, () => runCrowd(setting.scope, { clients, url, content }));
    const downloads = stand.upstream.count({ kind: 'blob', method: 'GET', reference: digest });
    const failed = clients - outcome.right;
    return `${downloads}; ${Math.round(peakMiB)} MiB${failed > 0 ? `; ${failed} clients failed` : ''}`;
  },
};

const replicas: Trial = {
  row: 'Two processes on one folder, one blob from both at once: downloads',
  run: async (setting) => {
    const stand = await Stand.open(setting, { isReplica: true }, { bytesPerSecond: 5_000_000, slowKinds: ['blob'] });
    const { digest } = stand.addBlob(10_000_000, 'replicas');
    return setting.scope.within(async (scope) => {
      const { origin } = await stand.start(scope);
      const both = [stand.origin, origin].map((each) => get(blobUrl(each, digest)));
      const outcomes = (await Promise.all(both)).map((received) => outcomeOf(received, digest));
      const wrong = outcomes.find((outcome) => outcome !== 'served');
      return wrong ?? String(stand.upstream.count({ kind: 'blob', method: 'GET', reference: digest }));
    });
  },
};

const atRest: Trial = {
  row: `Memory at rest, ${rest / 1000} s after the start`,
  run: async (setting: Setting) => {
    const stand = await Stand.open(setting);
    await sleep(rest);
    return `${Math.round(readUsage(stand.pid).residentBytes / 1024 ** 2)} MiB`;
  },
};

export const sharingTrials: readonly Trial[] = [pullsOfOneTag, crowd, replicas, atRest];
