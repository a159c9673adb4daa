import type { RegistryStatistics, NamespaceStatistics } from '../../registry/statistics/registry.statistics.js';
import { hitsOf, type CacheCounts } from '../../registry/statistics/traffic.counts.js';
import type { Metric, Sample } from './metric.js';

type OfRegistry = Metric<RegistryStatistics>;

const byNamespace =
  (value: (statistics: NamespaceStatistics) => number): OfRegistry['read'] =>
  ({ namespaces }) =>
    namespaces.map((statistics) => ({ labels: [statistics.namespace], value: value(statistics) }));

const responses = (kind: string, namespace: string, counts: CacheCounts): Sample[] =>
  Object.entries(counts).map(([cache, value]) => ({ labels: [namespace, kind, cache.toLowerCase()], value }));

/** Hits, misses and traffic. The first four keep the names of the predecessor. */
export const cacheMetrics: readonly OfRegistry[] = [
  {
    name: 'manifest_cache_hits',
    type: 'counter',
    help: 'Number of manifests read from cache',
    labels: ['namespace'],
    read: byNamespace(({ traffic }) => hitsOf(traffic.manifests)),
  },
  {
    name: 'manifest_cache_misses',
    type: 'counter',
    help: 'Number of manifest requests that went to upstream',
    labels: ['namespace'],
    read: byNamespace(({ traffic }) => traffic.manifests.MISS),
  },
  {
    name: 'blob_cache_hits',
    type: 'counter',
    help: 'Number of blobs read from cache',
    labels: ['namespace'],
    read: byNamespace(({ traffic }) => hitsOf(traffic.blobs)),
  },
  {
    name: 'blob_cache_misses',
    type: 'counter',
    help: 'Number of blob requests that went to upstream',
    labels: ['namespace'],
    read: byNamespace(({ traffic }) => traffic.blobs.MISS),
  },
  {
    name: 'oci_registry_cache_answers_total',
    type: 'counter',
    help: 'Responses with manifests, blobs and lists, by their X-Cache',
    labels: ['namespace', 'kind', 'cache'],
    read: ({ namespaces }) =>
      namespaces.flatMap(({ namespace, traffic }) => [
        ...responses('manifest', namespace, traffic.manifests),
        ...responses('blob', namespace, traffic.blobs),
        ...responses('list', namespace, traffic.lists),
      ]),
  },
  {
    name: 'oci_registry_sent_bytes_total',
    type: 'counter',
    help: 'Bytes of manifests, blobs and lists sent to clients',
    labels: ['namespace'],
    read: byNamespace(({ traffic }) => traffic.sent),
  },
  {
    name: 'oci_registry_push_received_bytes_total',
    type: 'counter',
    help: 'Bytes of blobs and manifests received from clients that push',
    labels: ['namespace'],
    read: byNamespace(({ traffic }) => traffic.pushes.received),
  },
  {
    name: 'oci_registry_pushes_total',
    type: 'counter',
    help: 'Pushes of blobs and manifests, by how they ended; refused ones are the fault of the client',
    labels: ['namespace', 'kind', 'result'],
    read: ({ namespaces }) =>
      namespaces.flatMap(({ namespace, traffic }) =>
        Object.entries(traffic.pushes.results).flatMap(([kind, results]) =>
          Object.entries(results).map(([result, value]) => ({ labels: [namespace, kind, result], value })),
        ),
      ),
  },
  {
    name: 'oci_registry_uploads_running',
    type: 'gauge',
    help: 'Requests whose blob is being received',
    labels: ['namespace'],
    read: byNamespace(({ traffic }) => traffic.pushes.running),
  },
  {
    name: 'oci_registry_upstream_received_bytes_total',
    type: 'counter',
    help: 'Bytes of manifests, blobs and lists received from upstreams',
    labels: ['namespace'],
    read: byNamespace(({ upstream }) => upstream.received),
  },
  {
    name: 'oci_registry_saved_bytes_total',
    type: 'counter',
    help: 'Bytes sent to clients minus bytes received from upstreams',
    labels: ['namespace'],
    read: byNamespace(({ saved }) => saved),
  },
];
