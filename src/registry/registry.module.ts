import { type DynamicModule, Module } from '@nestjs/common';
import { ManifestWriter } from './mirrored/manifest.writer.js';
import { MirroredCatalogService } from './mirrored/mirrored-catalog.service.js';
import { NamedContent } from './mirrored/named.content.js';
import { OriginService } from './mirrored/origin.service.js';
import { OutageAgreement } from './mirrored/outage.agreement.js';
import { RefusedContent } from './mirrored/refused.content.js';
import { PermissionService } from './mirrored/permission.service.js';
import { BlobsService } from './blobs.service.js';
import { CatalogService } from './catalog.service.js';
import { ManifestsService } from './manifests.service.js';
import { PushRights } from './push-rights.js';
import { ReferrersService } from './referrers.service.js';
import { TagsService } from './tags.service.js';
import { UploadsService } from './uploads.service.js';
import { browsingProviders } from './browsing/browsing.providers.js';
import { BrowsingService } from './browsing/browsing.service.js';
import { MirroredBlobsService } from './mirrored/mirrored-blobs.service.js';
import { DownloadsService } from './mirrored/downloads/downloads.service.js';
import { StoredBlobs } from './reading/stored-blobs.js';
import { MountSources } from './reading/mount.sources.js';
import { StoredManifests } from './reading/stored-manifests.js';
import { EvictionEvents } from './eviction/eviction.events.js';
import { RemovalService } from './eviction/removal.service.js';
import { Retention } from './eviction/retention.js';
import { ScrubService } from './eviction/scrub.service.js';
import { SweepService } from './eviction/sweep.service.js';
import { UsageService } from './eviction/usage.service.js';
import { UsesService } from './eviction/uses.service.js';
import { NegativeCache } from './mirrored/freshness/negative.cache.js';
import { hostedProviders } from './hosted/hosted.providers.js';
import { DistantRanges } from './mirrored/ranges/distant.ranges.js';
import { LongLists } from './mirrored/lists/long.lists.js';
import { MirroredListsService } from './mirrored/mirrored-lists.service.js';
import { MirroredManifestsService } from './mirrored/mirrored-manifests.service.js';
import { ReadinessService } from './readiness.service.js';
import { explainProviders } from './explaining/explain.providers.js';
import { ExplainService } from './explaining/explain.service.js';
import { LastOutcomes } from './statistics/last.outcomes.js';
import { RegistryStatistics } from './statistics/registry.statistics.js';
import { TrafficCounts } from './statistics/traffic.counts.js';
import { CombinedHistory } from './statistics/history/combined.history.js';
import { TrafficHistory } from './statistics/history/traffic.history.js';
import { ReplicasService } from './mirrored/replicas/replicas.service.js';
import { RequestLock } from './mirrored/replicas/request.lock.js';
import { TagResolver } from './mirrored/tag.resolver.js';

/** The use cases. They combine storage and upstream. */
@Module({})
export class RegistryModule {
  static register(upstream: DynamicModule): DynamicModule {
    return {
      module: RegistryModule,
      imports: [upstream],
      providers: [
        BlobsService,
        CatalogService,
        ManifestsService,
        PushRights,
        ReferrersService,
        TagsService,
        UploadsService,
        ...hostedProviders,
        ...browsingProviders,
        StoredBlobs,
        StoredManifests,
        MountSources,
        MirroredBlobsService,
        LongLists,
        DistantRanges,
        MirroredListsService,
        MirroredManifestsService,
        ManifestWriter,
        MirroredCatalogService,
        NamedContent,
        OriginService,
        OutageAgreement,
        RefusedContent,
        PermissionService,
        DownloadsService,
        NegativeCache,
        EvictionEvents,
        RemovalService,
        Retention,
        ScrubService,
        SweepService,
        UsageService,
        UsesService,
        ReadinessService,
        RegistryStatistics,
        LastOutcomes,
        ...explainProviders,
        ReplicasService,
        TagResolver,
        RequestLock,
        TrafficCounts,
        CombinedHistory,
        TrafficHistory,
      ],
      exports: [
        BlobsService,
        BrowsingService,
        CatalogService,
        DownloadsService,
        ManifestsService,
        PushRights,
        ReferrersService,
        TagsService,
        UploadsService,
        EvictionEvents,
        RemovalService,
        ScrubService,
        SweepService,
        UsageService,
        UsesService,
        ReadinessService,
        RegistryStatistics,
        LastOutcomes,
        ExplainService,
        TrafficCounts,
        CombinedHistory,
        TrafficHistory,
      ],
    };
  }
}
