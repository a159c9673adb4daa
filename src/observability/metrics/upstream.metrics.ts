import type { RegistryStatistics } from '../../registry/statistics/registry.statistics.js';
import type { Metric } from './metric.js';

/** Metric values of circuit states. */
const circuitValues = { closed: 0, 'half-open': 1, open: 2 } as const;

const conditions = ['not-contacted', 'up', 'degraded', 'credentials-refused'] as const;

/** Requests to upstreams and their states. */
export const upstreamMetrics: readonly Metric<RegistryStatistics>[] = [
  {
    name: 'oci_registry_upstream_requests_total',
    type: 'counter',
    help: 'Requests to upstreams by result, including sign-in, tokens and redirects',
    labels: ['namespace', 'result'],
    read: ({ namespaces }) =>
      namespaces.flatMap(({ namespace, upstream }) =>
        Object.entries(upstream.requests).map(([result, value]) => ({ labels: [namespace, result], value })),
      ),
  },
  {
    name: 'oci_registry_upstream_state',
    type: 'gauge',
    help: '1 for the state that the last request to the upstream left it in, 0 for the others',
    labels: ['namespace', 'state'],
    read: ({ upstreamStates }) =>
      upstreamStates.flatMap(({ namespace, outcome }) =>
        conditions.map((condition) => ({
          labels: [namespace, condition],
          value: outcome.condition === condition ? 1 : 0,
        })),
      ),
  },
  {
    name: 'oci_registry_upstream_circuit_state',
    type: 'gauge',
    help: 'State of the upstream circuit: 0 closed (reachable), 1 half-open (being probed), 2 open (unreachable)',
    labels: ['namespace'],
    read: ({ upstreamStates }) =>
      upstreamStates.map(({ namespace, circuit }) => ({ labels: [namespace], value: circuitValues[circuit] })),
  },
  {
    name: 'oci_registry_upstream_failing_repositories',
    type: 'gauge',
    help: 'Repositories, counted per endpoint, whose requests are paused because the upstream fails for them; at most 200',
    labels: ['namespace'],
    read: ({ upstreamStates }) =>
      upstreamStates.map(({ namespace, failingRepositories }) => ({ labels: [namespace], value: failingRepositories })),
  },
  {
    name: 'oci_registry_upstream_limited_kinds',
    type: 'gauge',
    help: 'Kinds of requests that the upstream is rate-limiting now',
    labels: ['namespace'],
    read: ({ upstreamStates }) =>
      upstreamStates.map(({ namespace, limited }) => ({ labels: [namespace], value: limited.length })),
  },
  {
    name: 'oci_registry_upstream_waiting_requests',
    type: 'gauge',
    help: 'Requests that wait for a connection to the upstream',
    labels: ['namespace'],
    read: ({ upstreamStates }) =>
      upstreamStates.map(({ namespace, waiting }) => ({ labels: [namespace], value: waiting })),
  },
  {
    name: 'oci_registry_upstream_rate_limit',
    type: 'gauge',
    help: 'Pulls that the upstream allows per window, if it reports them',
    labels: ['namespace'],
    read: ({ upstreamStates }) =>
      upstreamStates.flatMap(({ namespace, rateLimit }) =>
        rateLimit ? [{ labels: [namespace], value: rateLimit.limit }] : [],
      ),
  },
  {
    name: 'oci_registry_upstream_rate_limit_remaining',
    type: 'gauge',
    help: 'Pulls remaining in the current window',
    labels: ['namespace'],
    read: ({ upstreamStates }) =>
      upstreamStates.flatMap(({ namespace, rateLimit }) =>
        rateLimit ? [{ labels: [namespace], value: rateLimit.remaining }] : [],
      ),
  },
  {
    name: 'oci_registry_token_requests_total',
    type: 'counter',
    help: 'Token requests to realms of upstreams',
    labels: ['result'],
    read: ({ tokenCounts }) => Object.entries(tokenCounts).map(([result, value]) => ({ labels: [result], value })),
  },
  {
    name: 'oci_registry_downloads',
    type: 'gauge',
    help: 'Blob downloads, running or queued',
    labels: ['state'],
    read: ({ downloadGauges: { running, waiting } }) => [
      { labels: ['running'], value: running },
      { labels: ['waiting'], value: waiting },
    ],
  },
  {
    name: 'oci_registry_download_followers',
    type: 'gauge',
    help: 'Clients that follow a running download',
    labels: [],
    read: ({ downloadGauges: { followers } }) => [{ labels: [], value: followers }],
  },
  {
    name: 'oci_registry_downloads_total',
    type: 'counter',
    help: 'Finished downloads: kept, passed through without being kept, or failed',
    labels: ['result'],
    read: ({ downloadCounts }) =>
      Object.entries(downloadCounts).map(([result, value]) => ({ labels: [result], value })),
  },
];
