import type { Scenario } from './scenario.js';

export const ready: Scenario = {
  name: 'ready',
  title: 'from the start of the process to its first answer on /v2/',
  byDefault: true,
  startsAnew: true,
  peers: ['mirror', 'docker-registry'],
  metrics: [{ key: 'millis', label: 'first answer, ms', better: 'less', bound: { limit: 1_000, over: 'median' } }],
  open: ({ source }) =>
    Promise.resolve({
      upstream: source,
      measure: (peer) => Promise.resolve({ values: { millis: peer.server.readyMillis }, failures: [] }),
    }),
};
