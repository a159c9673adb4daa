import { Global, Inject, Injectable, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { storageSettings } from '../config/config.module.js';
import { ServerSettings } from '../config/server.settings.js';
import type { StorageSettings } from '../config/storage.settings.js';
import { ClusterKey } from '../config/values/cluster-key.js';
import { ContentStore } from './stores/content.store.js';
import { CountedProvider } from './space/counted.provider.js';
import { CatalogStore } from './stores/hosted/catalog.store.js';
import { HostedStore } from './stores/hosted/hosted.store.js';
import { LinkStore } from './stores/hosted/link.store.js';
import { TagLinkStore } from './stores/hosted/tag-link.store.js';
import { MountSourceStore } from './stores/hosted/mount-source.store.js';
import { ReferrerStore } from './stores/hosted/referrer.store.js';
import { HotCache } from './stores/hot.cache.js';
import { IngestSweeper } from './space/ingest.sweeper.js';
import { LeaseStore } from './stores/lease.store.js';
import { ListStore } from './stores/list.store.js';
import { MaintenanceCounts } from './space/maintenance.counts.js';
import { ManifestStore } from './stores/manifest.store.js';
import { MirroredCatalogStore } from './stores/mirrored-catalog.store.js';
import { OriginStore } from './stores/origin.store.js';
import { RefusalStore } from './stores/refusal.store.js';
import { openLedger } from './space/open-ledger.js';
import { SpaceLedger } from './space/space.ledger.js';
import { SecretStore } from './stores/secret.store.js';
import { StoredObjects } from './stores/stored.objects.js';
import { StorageCounts } from './space/storage.counts.js';
import { StorageProbe } from './storage.probe.js';
import { StorageProvider } from './storage.provider.js';
import { TrafficStore } from './stores/history/traffic.store.js';
import { TagNameStore } from './stores/tag-name.store.js';
import { TagStore } from './stores/tag.store.js';
import { UploadStore } from './stores/upload.store.js';
import { EmptySessions } from './stores/uploads/empty.sessions.js';

/** Milliseconds for which values are cached when other replicas may replace or remove them. */
const sharedLifetime = 30_000;

/** Each provider is loaded only when it is selected. */
const providers: {
  [Name in StorageSettings['provider']]: (
    settings: StorageSettings & { provider: Name },
    isAlone: boolean,
  ) => Promise<StorageProvider>;
} = {
  s3: async (settings) => new (await import('./providers/s3/s3.provider.js')).S3Provider(settings),
  custom: async (settings) =>
    (await import('./providers/custom/custom.provider.js')).openCustom(settings, process.cwd()),
  filesystem: async ({ root, umask }, isAlone) =>
    new (await import('./providers/filesystem/filesystem.provider.js')).FilesystemProvider(
      root,
      undefined,
      umask,
      isAlone,
    ),
  memory: async () => new (await import('./providers/memory/memory.provider.js')).MemoryProvider(),
};

/**
 * @param isAlone whether no other process writes the storage.
 * @throws StorageError when the storage cannot be used, with a message for the operator.
 */
export async function openStorage(settings: StorageSettings, isAlone = false): Promise<StorageProvider> {
  const open = providers[settings.provider] as (
    settings: StorageSettings,
    isAlone: boolean,
  ) => Promise<StorageProvider>;
  const provider = await open(settings, isAlone);
  await provider.initialize();
  return provider;
}

type UploadParts = [StorageProvider, ContentStore, SpaceLedger, ServerSettings, StorageSettings];
type HostedParts = [StorageProvider, HotCache, SpaceLedger, ServerSettings, StorageSettings];

/** Whether other processes may write the same storage. */
function isShared({ advertiseUrl, worker }: ServerSettings, { provider }: StorageSettings): boolean {
  const isOwn = provider === 'filesystem' || provider === 'memory';
  return !isOwn || advertiseUrl !== undefined || worker !== undefined;
}

@Injectable()
class StorageCloser implements OnApplicationShutdown {
  constructor(@Inject(StorageProvider) private readonly provider: StorageProvider) {}

  onApplicationShutdown(): Promise<void> {
    return this.provider.close();
  }
}

@Global()
@Module({})
export class StorageModule {
  /** @param replacement a provider that tests use instead of the configured one; it is initialized here. */
  static register(replacement?: StorageProvider): DynamicModule {
    const provider = {
      provide: StorageProvider,
      inject: [storageSettings, ServerSettings, StorageCounts],
      useFactory: async (settings: StorageSettings, server: ServerSettings, counts: StorageCounts) => {
        if (!replacement) return new CountedProvider(await openStorage(settings, !isShared(server, settings)), counts);
        await replacement.initialize();
        return new CountedProvider(replacement, counts);
      },
    };
    const hot = {
      provide: HotCache,
      inject: [ServerSettings],
      useFactory: ({ memoryCache, advertiseUrl }: ServerSettings) =>
        new HotCache(memoryCache, advertiseUrl === undefined ? 0 : sharedLifetime),
    };
    const ledger = {
      provide: SpaceLedger,
      inject: [StorageProvider, ServerSettings],
      useFactory: async (opened: CountedProvider, server: ServerSettings) => {
        const space = await openLedger(opened, server.maxSize);
        opened.onFull = () => space.onPressure('disk');
        return space;
      },
    };
    const store = (type: new (provider: StorageProvider, hot: HotCache, space: SpaceLedger) => object) => ({
      provide: type,
      inject: [StorageProvider, HotCache, SpaceLedger],
      useFactory: (opened: StorageProvider, memory: HotCache, space: SpaceLedger) => new type(opened, memory, space),
    });
    const leases = {
      provide: LeaseStore,
      inject: [StorageProvider, ServerSettings],
      useFactory: (opened: StorageProvider, { clusterKey }: ServerSettings) =>
        new LeaseStore(opened, clusterKey && new ClusterKey(clusterKey)),
    };
    const uploads = {
      provide: UploadStore,
      inject: [StorageProvider, ContentStore, SpaceLedger, ServerSettings, storageSettings],
      useFactory: (...[opened, contents, space, server, storage]: UploadParts) => {
        const empty = isShared(server, storage) ? undefined : new EmptySessions(new SecretStore(opened));
        return new UploadStore(opened, contents, space, empty);
      },
    };
    const probe = {
      provide: StorageProbe,
      inject: [StorageProvider],
      useFactory: (opened: StorageProvider) => new StorageProbe(opened),
    };
    // What was pushed, or deleted, at another process is seen by the next request.
    const hosted = {
      provide: HostedStore,
      inject: [StorageProvider, HotCache, SpaceLedger, ServerSettings, storageSettings],
      useFactory: (...[opened, memory, space, server, storage]: HostedParts) =>
        new HostedStore(opened, isShared(server, storage) ? undefined : memory, space),
    };
    const stores = [
      CatalogStore,
      ContentStore,
      LinkStore,
      ListStore,
      ManifestStore,
      MirroredCatalogStore,
      MountSourceStore,
      OriginStore,
      ReferrerStore,
      RefusalStore,
      StoredObjects,
      TagLinkStore,
      TagNameStore,
      TagStore,
    ].map(store);
    const secrets = {
      provide: SecretStore,
      inject: [StorageProvider],
      useFactory: (opened: StorageProvider) => new SecretStore(opened),
    };
    const traffic = {
      provide: TrafficStore,
      inject: [StorageProvider, ServerSettings, storageSettings],
      useFactory: (opened: StorageProvider, server: ServerSettings, storage: StorageSettings) =>
        new TrafficStore(opened, isShared(server, storage)),
    };
    const counts = [StorageCounts, MaintenanceCounts];
    return {
      module: StorageModule,
      providers: [
        provider,
        hot,
        ledger,
        hosted,
        leases,
        ...stores,
        secrets,
        traffic,
        uploads,
        probe,
        StorageCloser,
        IngestSweeper,
        ...counts,
      ],
      exports: [
        CatalogStore,
        ContentStore,
        HostedStore,
        LeaseStore,
        LinkStore,
        ListStore,
        ManifestStore,
        MirroredCatalogStore,
        MountSourceStore,
        OriginStore,
        ReferrerStore,
        RefusalStore,
        SecretStore,
        SpaceLedger,
        StoredObjects,
        TagLinkStore,
        TagNameStore,
        TagStore,
        TrafficStore,
        UploadStore,
        StorageProbe,
        ...counts,
      ],
    };
  }
}
