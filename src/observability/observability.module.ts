import { type DynamicModule, Module } from '@nestjs/common';
import { HealthController } from './health/health.controller.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { MetricsService } from './metrics/metrics.service.js';
import { RequestMeter } from './logging/request.meter.js';
import { UsageService } from '../registry/eviction/usage.service.js';
import { CachedRepositories } from './status/cached.repositories.js';
import { StatusService } from './status/status.service.js';

/** Metrics, health and the status page. */
@Module({})
export class ObservabilityModule {
  static register(registry: DynamicModule): DynamicModule {
    return {
      module: ObservabilityModule,
      imports: [registry],
      controllers: [HealthController, MetricsController],
      providers: [
        MetricsService,
        RequestMeter,
        StatusService,
        { provide: CachedRepositories, useExisting: UsageService },
      ],
      exports: [RequestMeter, StatusService],
    };
  }
}
