import { pull, type PullJob } from '../../load/pull.js';
import { runWrk, type WrkReport } from '../../load/wrk.js';
import type { Peer } from '../../peers/peer.js';
import { meter, type Metered } from '../../processes/meter.js';
import type { Scope } from '../../scope.js';
import type { Metric, Sample } from '../scenario.js';

export interface WarmLoad {
  readonly connections: number;
  readonly seconds: number;
  readonly job: PullJob & { readonly size: number; readonly timeout?: number };
}

export const memoryMetrics: readonly Metric[] = [
  { key: 'peakMiB', label: 'peak resident size, MiB', better: 'less' },
  { key: 'settledMiB', label: 'resident size 3 s later, MiB', better: 'less' },
];

export const requestMetrics: readonly Metric[] = [
  { key: 'requestsPerSecond', label: 'requests per second', better: 'more' },
  { key: 'p50', label: 'latency p50, ms', better: 'less' },
  { key: 'p99', label: 'latency p99, ms', better: 'less' },
  { key: 'cpuPerRequest', label: 'CPU ms per request', better: 'less' },
];

export const blobMetrics: readonly Metric[] = [
  { key: 'throughput', label: 'throughput, GB/s', better: 'more' },
  { key: 'cpuPerGB', label: 'CPU seconds per GB', better: 'less' },
  { key: 'p50', label: 'latency p50, ms', better: 'less' },
  { key: 'p99', label: 'latency p99, ms', better: 'less' },
];

export function blobValues({ outcome, cpuSeconds }: Metered<WrkReport>): Record<string, number> {
  return {
    throughput: outcome.bytes / 1e9 / outcome.seconds,
    cpuPerGB: cpuSeconds / (outcome.bytes / 1e9),
    p50: outcome.p50Millis,
    p99: outcome.p99Millis,
  };
}

export function requestValues({ outcome, cpuSeconds }: Metered<WrkReport>): Record<string, number> {
  return {
    requestsPerSecond: outcome.requests / outcome.seconds,
    p50: outcome.p50Millis,
    p99: outcome.p99Millis,
    cpuPerRequest: (cpuSeconds * 1000) / outcome.requests,
  };
}

/** One checked pull. */
export async function warmUp(job: PullJob): Promise<Sample> {
  return { values: {}, failures: complaints('warming up', await pull(job)) };
}

/** wrk on one address, between two pulls whose bodies are hashed. */
export async function measureWrk(
  scope: Scope,
  peer: Peer,
  { connections, seconds, job }: WarmLoad,
  values: (run: Metered<WrkReport>) => Record<string, number>,
): Promise<Sample> {
  const before = await pull(job);
  const run = await meter(peer.server.pid, () => runWrk(scope, { ...job, connections, seconds }));
  const after = await pull(job);
  return {
    values: { ...values(run), peakMiB: run.peakMiB, settledMiB: run.settledMiB },
    failures: [
      ...complaints('before the load', before),
      ...run.outcome.failures,
      ...complaints('after the load', after),
    ],
  };
}

export function complaints(when: string, { complaint }: { readonly complaint?: string }): string[] {
  return complaint === undefined ? [] : [`${when}: ${complaint}`];
}
