import { setTimeout as sleep } from 'node:timers/promises';
import { readUsage } from '../processes/usage.js';
import type { Scenario } from './scenario.js';

/** Milliseconds after its start. */
const wait = 10_000;

export const atRest: Scenario = {
  name: 'at-rest',
  title: `a process that has answered /v2/ once, ${wait / 1000} s after its start`,
  byDefault: true,
  startsAnew: true,
  peers: ['mirror', 'mirror-workers', 'docker-registry'],
  metrics: [
    { key: 'restingMiB', label: 'resident size, MiB', better: 'less', bound: { limit: 62, over: 'median' } },
    { key: 'anonymousMiB', label: 'anonymous memory, MiB', better: 'less', bound: { limit: 20, over: 'median' } },
  ],
  open: ({ source }) =>
    Promise.resolve({
      upstream: source,
      measure: async ({ server }) => {
        await sleep(Math.max(0, wait - server.readyMillis));
        const { residentBytes, anonymousBytes } = readUsage(server.pid);
        return {
          values: { restingMiB: residentBytes / 1024 ** 2, anonymousMiB: anonymousBytes / 1024 ** 2 },
          failures: [],
        };
      },
    }),
};
