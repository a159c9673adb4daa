import { type DynamicModule, Module } from '@nestjs/common';
import { AccessService } from './access.service.js';
import { BlobsService } from './blobs.service.js';
import { DownloadsService } from './downloads/downloads.service.js';
import { NegativeCache } from './freshness/negative.cache.js';
import { ListingsService } from './listings.service.js';
import { ManifestsService } from './manifests.service.js';
import { ReadinessService } from './readiness.service.js';
import { RegistryStatistics } from './statistics/registry.statistics.js';
import { TrafficCounts } from './statistics/traffic.counts.js';
import { TrafficHistory } from './statistics/traffic.history.js';
import { TagsService } from './tags.service.js';

/** The use cases, where storage and upstream meet. */
@Module({})
export class RegistryModule {
  static register(upstream: DynamicModule): DynamicModule {
    return {
      module: RegistryModule,
      imports: [upstream],
      providers: [
        AccessService,
        BlobsService,
        DownloadsService,
        ListingsService,
        ManifestsService,
        NegativeCache,
        ReadinessService,
        RegistryStatistics,
        TagsService,
        TrafficCounts,
        TrafficHistory,
      ],
      exports: [
        BlobsService,
        DownloadsService,
        ListingsService,
        ManifestsService,
        ReadinessService,
        RegistryStatistics,
        TrafficCounts,
        TrafficHistory,
      ],
    };
  }
}
