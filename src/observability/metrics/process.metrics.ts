import type { IntervalHistogram } from 'node:perf_hooks';
import type { BodyMemory } from '../../config/memory/body.memory.js';
import { version } from '../../config/version.js';
import type { Metric } from './metric.js';

/** The process at the moment of a scrape. */
export interface ProcessReading {
  readonly memory: NodeJS.MemoryUsage;
  /** Microseconds. */
  readonly cpu: NodeJS.CpuUsage;
  /** Event loop delay in nanoseconds since the previous scrape; empty at the first one. */
  readonly delay: Pick<IntervalHistogram, 'count' | 'percentile'>;
  readonly bodies: Pick<BodyMemory, 'size' | 'limit' | 'waiting'>;
}

const one = (value: number) => [{ labels: [], value }];

/** The usual few, under prom-client's names, so that existing dashboards work. */
export const processMetrics: readonly Metric<ProcessReading>[] = [
  {
    name: 'oci_registry_build_info',
    type: 'gauge',
    help: 'Always 1; the labels are the versions of the program and of Node.js',
    labels: ['version', 'node'],
    read: () => [{ labels: [version, process.versions.node], value: 1 }],
  },
  {
    name: 'oci_registry_body_memory_bytes',
    type: 'gauge',
    help: 'Memory of bodies that are held whole: manifests, lists, tokens',
    labels: [],
    read: ({ bodies }) => one(bodies.size),
  },
  {
    name: 'oci_registry_body_memory_limit_bytes',
    type: 'gauge',
    help: 'Limit on that memory, --body-memory',
    labels: [],
    read: ({ bodies }) => one(bodies.limit),
  },
  {
    name: 'oci_registry_body_memory_waiting',
    type: 'gauge',
    help: 'Bodies that wait for a part of that memory',
    labels: [],
    read: ({ bodies }) => one(bodies.waiting),
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory',
    labels: [],
    read: ({ memory }) => one(memory.rss),
  },
  {
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    help: 'JavaScript heap in use',
    labels: [],
    read: ({ memory }) => one(memory.heapUsed),
  },
  {
    name: 'nodejs_external_memory_bytes',
    type: 'gauge',
    help: 'Memory of buffers outside the heap',
    labels: [],
    read: ({ memory }) => one(memory.external),
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time, user and system',
    labels: [],
    read: ({ cpu }) => one((cpu.user + cpu.system) / 1e6),
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'When the process started, in seconds since 1970',
    labels: [],
    read: () => one(Math.round(performance.timeOrigin) / 1000),
  },
  {
    name: 'nodejs_eventloop_lag_p50_seconds',
    type: 'gauge',
    help: 'Median delay of the event loop since the previous scrape',
    labels: [],
    read: ({ delay }) => one(delay.count === 0 ? 0 : delay.percentile(50) / 1e9),
  },
  {
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    help: '99th percentile of the delay of the event loop since the previous scrape',
    labels: [],
    read: ({ delay }) => one(delay.count === 0 ? 0 : delay.percentile(99) / 1e9),
  },
];
