import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { Metric as PromMetric, Registry } from 'prom-client';
import { AccessService } from '../../access/access.service.js';
import { BodyMemory } from '../../config/memory/body.memory.js';
import { Reloads } from '../../config/reload/reloads.js';
import { EventsService } from '../../events/events.service.js';
import { RegistryStatistics } from '../../registry/statistics/registry.statistics.js';
import { RequestMeter } from '../logging/request.meter.js';
import { accessMetrics } from './access.metrics.js';
import { cacheMetrics } from './cache.metrics.js';
import { familyOf, type AnyMetric } from './metric.js';
import { processMetrics } from './process.metrics.js';
import { reloadMetrics } from './reload.metrics.js';
import { requestMetrics } from './request.metrics.js';
import { storageMetrics } from './storage.metrics.js';
import { credentialMetrics } from './credential.metrics.js';
import { upstreamMetrics } from './upstream.metrics.js';
import { webhookMetrics } from './webhook.metrics.js';

const registryMetrics = [...cacheMetrics, ...upstreamMetrics, ...credentialMetrics, ...storageMetrics];

/** Every metric, in the order of `/metrics`. */
export const allMetrics: readonly Pick<AnyMetric<never>, 'name' | 'type' | 'help' | 'labels'>[] = [
  ...registryMetrics,
  ...webhookMetrics,
  ...requestMetrics,
  ...accessMetrics,
  ...reloadMetrics,
  ...processMetrics,
];

/** Reads all counts on each scrape; nothing is loaded or measured before the first one. */
@Injectable()
export class MetricsService implements OnApplicationShutdown {
  /** Since the first scrape. */
  private delay: IntervalHistogram | undefined;
  private registry: Promise<Registry> | undefined;

  constructor(
    private readonly statistics: RegistryStatistics,
    private readonly requests: RequestMeter,
    private readonly access: AccessService,
    private readonly events: EventsService,
    private readonly reloads: Reloads,
    @Inject(BodyMemory) private readonly bodies: BodyMemory,
  ) {}

  /** In Prometheus' text format 0.0.4. */
  async text(): Promise<string> {
    const registry = await (this.registry ??= this.open());
    const text = await registry.metrics();
    this.delay?.reset();
    return text;
  }

  onApplicationShutdown(): void {
    this.delay?.disable();
  }

  private async open(): Promise<Registry> {
    const delay = monitorEventLoopDelay({ resolution: 20 });
    delay.enable();
    this.delay = delay;
    const { default: PromRegistry } = await import('prom-client/lib/registry.js');
    const registry = new PromRegistry();
    add(registry, registryMetrics, () => this.statistics);
    add(registry, webhookMetrics, () => this.events);
    add(registry, requestMetrics, () => this.requests);
    add(registry, accessMetrics, () => this.access);
    add(registry, reloadMetrics, () => this.reloads);
    add(registry, processMetrics, () => ({
      memory: process.memoryUsage(),
      cpu: process.cpuUsage(),
      delay,
      bodies: this.bodies,
    }));
    return registry;
  }
}

/** prom-client's registry uses only `name` and `get` of a metric, whatever its type says. */
function add<Source>(registry: Registry, metrics: readonly AnyMetric<Source>[], source: () => Source): void {
  for (const metric of metrics) {
    const read = { name: metric.name, get: () => Promise.resolve(familyOf(metric, source())) };
    registry.registerMetric(read as unknown as PromMetric);
  }
}
