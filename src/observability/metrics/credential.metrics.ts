import type { RegistryStatistics } from '../../registry/statistics/registry.statistics.js';
import type { Metric } from './metric.js';

type UpstreamState = RegistryStatistics['upstreamStates'][number];
type CredentialState = UpstreamState['credentials'][number];

/** Credentials of upstreams whose source may give others later. */
export const credentialMetrics: readonly Metric<RegistryStatistics>[] = [
  {
    name: 'oci_registry_upstream_credential_fetches_total',
    type: 'counter',
    help: 'Requests for credentials of upstreams to their sources, by result',
    labels: ['namespace', 'source', 'result'],
    read: ({ upstreamStates }) =>
      bySource(upstreamStates).flatMap(({ namespace, source, states }) =>
        (['ok', 'failed'] as const).map((result) => ({
          labels: [namespace, source, result],
          value: states.reduce((sum, { counts }) => sum + counts[result], 0),
        })),
      ),
  },
  {
    name: 'oci_registry_upstream_credential_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the first of the credentials in use ends, in seconds since 1970; 0 when no end is known',
    labels: ['namespace', 'source'],
    read: ({ upstreamStates }) =>
      bySource(upstreamStates).map(({ namespace, source, states }) => {
        const ends = states.flatMap(({ expiresAt }) => expiresAt ?? []);
        return { labels: [namespace, source], value: ends.length === 0 ? 0 : Math.min(...ends) / 1000 };
      }),
  },
];

/** A namespace may have several sources of one kind, for different repositories. */
function bySource(
  upstreams: readonly UpstreamState[],
): { readonly namespace: string; readonly source: string; readonly states: readonly CredentialState[] }[] {
  return upstreams.flatMap(({ namespace, credentials }) =>
    [...new Set(credentials.map(({ source }) => source))].map((source) => ({
      namespace,
      source,
      states: credentials.filter((state) => state.source === source),
    })),
  );
}
