import { type DynamicModule, Module } from '@nestjs/common';
import { PermissionService } from './mirrored/permission.service.js';
import { BlobsService } from './mirrored/blobs.service.js';
import { DownloadsService } from './mirrored/downloads/downloads.service.js';
import { RemovalService } from './eviction/removal.service.js';
import { Retention } from './eviction/retention.js';
import { ScrubService } from './eviction/scrub.service.js';
import { SweepService } from './eviction/sweep.service.js';
import { UsageService } from './eviction/usage.service.js';
import { UsesService } from './eviction/uses.service.js';
import { NegativeCache } from './mirrored/freshness/negative.cache.js';
import { ListingsService } from './mirrored/listings.service.js';
import { ManifestsService } from './mirrored/manifests.service.js';
import { ReadinessService } from './readiness.service.js';
import { RegistryStatistics } from './statistics/registry.statistics.js';
import { TrafficCounts } from './statistics/traffic.counts.js';
import { TrafficHistory } from './statistics/traffic.history.js';
import { ReplicasService } from './mirrored/replicas/replicas.service.js';
import { RequestLock } from './mirrored/replicas/request.lock.js';
import { TagsService } from './mirrored/tags.service.js';

/** The use cases, where storage and upstream meet. */
@Module({})
export class RegistryModule {
  static register(upstream: DynamicModule): DynamicModule {
    return {
      module: RegistryModule,
      imports: [upstream],
      providers: [
        PermissionService,
        BlobsService,
        DownloadsService,
        ListingsService,
        ManifestsService,
        NegativeCache,
        RemovalService,
        Retention,
        ScrubService,
        SweepService,
        UsageService,
        UsesService,
        ReadinessService,
        RegistryStatistics,
        ReplicasService,
        TagsService,
        RequestLock,
        TrafficCounts,
        TrafficHistory,
      ],
      exports: [
        BlobsService,
        DownloadsService,
        ListingsService,
        ManifestsService,
        RemovalService,
        ScrubService,
        SweepService,
        UsageService,
        UsesService,
        ReadinessService,
        RegistryStatistics,
        TrafficCounts,
        TrafficHistory,
      ],
    };
  }
}
