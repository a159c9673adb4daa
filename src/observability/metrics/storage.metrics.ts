import type { RegistryStatistics } from '../../registry/statistics/registry.statistics.js';
import type { Metric, Sample } from './metric.js';

type OfRegistry = Metric<RegistryStatistics>;

const known = (value: number | undefined): Sample[] => (value === undefined ? [] : [{ labels: [], value }]);

const byOperation = (counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([operation, value]) => ({ labels: [operation], value }));

/** Keys of a record become values of one label. */
const results = (counts: Readonly<Record<'done' | 'failed', number>>): Sample[] => [
  { labels: ['done'], value: counts.done },
  { labels: ['failed'], value: counts.failed },
];

/** Storage operations, space and maintenance. */
export const storageMetrics: readonly OfRegistry[] = [
  {
    name: 'oci_registry_storage_operations_total',
    type: 'counter',
    help: 'Storage operations',
    labels: ['operation'],
    read: ({ storage }) => byOperation(storage.operations),
  },
  {
    name: 'oci_registry_storage_errors_total',
    type: 'counter',
    help: 'Failed storage operations; an object that does not exist is not a failure',
    labels: ['operation'],
    read: ({ storage }) => byOperation(storage.errors),
  },
  {
    name: 'oci_registry_storage_full',
    type: 'gauge',
    help: '1 if the last write failed because the storage is full or read-only, otherwise 0',
    labels: [],
    read: ({ storage }) => known(storage.isFull ? 1 : 0),
  },
  {
    name: 'oci_registry_storage_used_bytes',
    type: 'gauge',
    help: 'Bytes of stored content: as measured by the last sweep, plus additions since',
    labels: [],
    read: ({ space }) => known(space.bytes),
  },
  {
    name: 'oci_registry_storage_quota_bytes',
    type: 'gauge',
    help: 'Limit on bytes of stored content, if one is set',
    labels: [],
    read: ({ space }) => known(space.quota),
  },
  {
    name: 'oci_registry_hosted_used_bytes',
    type: 'gauge',
    help: 'Bytes that repositories with a quota hold, each digest counted once: as counted last, plus additions since',
    labels: ['namespace', 'repositories'],
    read: ({ hostedQuotas }) =>
      hostedQuotas.flatMap(({ namespace, repositories, used }) =>
        used === undefined ? [] : [{ labels: [namespace, repositories], value: used }],
      ),
  },
  {
    name: 'oci_registry_hosted_limit_bytes',
    type: 'gauge',
    help: 'Limit on the bytes that these repositories may hold (max_size, quotas); ** is the whole namespace',
    labels: ['namespace', 'repositories'],
    read: ({ hostedQuotas }) =>
      hostedQuotas.map(({ namespace, repositories, limit }) => ({ labels: [namespace, repositories], value: limit })),
  },
  {
    name: 'oci_registry_sweeps_total',
    type: 'counter',
    help: 'Finished sweeps',
    labels: ['result'],
    read: ({ maintenance }) => results(maintenance.sweeps),
  },
  {
    name: 'oci_registry_sweep_removed_objects_total',
    type: 'counter',
    help: 'Objects that sweeps removed',
    labels: [],
    read: ({ maintenance }) => known(maintenance.sweeps.removedObjects),
  },
  {
    name: 'oci_registry_sweep_removed_bytes_total',
    type: 'counter',
    help: 'Bytes that sweeps removed',
    labels: [],
    read: ({ maintenance }) => known(maintenance.sweeps.removedBytes),
  },
  {
    name: 'oci_registry_garbage_collections_total',
    type: 'counter',
    help: 'Hosted repositories whose garbage was collected; failed: what is garbage could not be found out',
    labels: ['result'],
    read: ({ maintenance }) => results(maintenance.garbage),
  },
  {
    name: 'oci_registry_garbage_removed_total',
    type: 'counter',
    help: 'Tags, manifests and blobs that garbage collection removed from hosted repositories',
    labels: ['kind'],
    read: ({ maintenance: { garbage } }) => [
      { labels: ['tag'], value: garbage.tag },
      { labels: ['manifest'], value: garbage.manifest },
      { labels: ['blob'], value: garbage.blob },
    ],
  },
  {
    name: 'oci_registry_scrubs_total',
    type: 'counter',
    help: 'Finished scrubs',
    labels: ['result'],
    read: ({ maintenance }) => results(maintenance.scrubs),
  },
  {
    name: 'oci_registry_scrub_checked_objects_total',
    type: 'counter',
    help: 'Objects that scrubs compared with their digests',
    labels: [],
    read: ({ maintenance }) => known(maintenance.scrubs.checkedObjects),
  },
  {
    name: 'oci_registry_scrub_checked_bytes_total',
    type: 'counter',
    help: 'Bytes that scrubs compared with their digests',
    labels: [],
    read: ({ maintenance }) => known(maintenance.scrubs.checkedBytes),
  },
  {
    name: 'oci_registry_scrub_damaged_objects_total',
    type: 'counter',
    help: 'Objects that did not match their digests',
    labels: [],
    read: ({ maintenance }) => known(maintenance.scrubs.damagedObjects),
  },
];
