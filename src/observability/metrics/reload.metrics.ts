import type { Reloads } from '../../config/reload/reloads.js';
import type { Metric } from './metric.js';

/** The upstream file, the webhooks file, and those that they name, while the server runs. */
export const reloadMetrics: readonly Metric<Pick<Reloads, 'counts' | 'rejected'>>[] = [
  {
    name: 'oci_registry_reloads_total',
    type: 'counter',
    help: 'Times that the upstream file, the webhooks file and those that they name were read again: applied, unchanged, or rejected because of a mistake',
    labels: ['result'],
    read: ({ counts }) => Object.entries(counts).map(([result, value]) => ({ labels: [result], value })),
  },
  {
    name: 'oci_registry_reload_rejected',
    type: 'gauge',
    help: '1 while these files have a mistake, so that what was read before is in use',
    labels: [],
    read: ({ rejected }) => [{ labels: [], value: rejected ? 1 : 0 }],
  },
];
