import { Global, Inject, Injectable, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { storageSettings } from '../config/config.module.js';
import { ServerSettings } from '../config/server.settings.js';
import type { StorageSettings } from '../config/storage.settings.js';
import { ContentStore } from './content.store.js';
import { CountedProvider } from './counted.provider.js';
import { HotCache } from './hot.cache.js';
import { IngestSweeper } from './ingest.sweeper.js';
import { ListStore } from './list.store.js';
import { MaintenanceCounts } from './maintenance.counts.js';
import { ManifestStore } from './manifest.store.js';
import { StorageError } from './storage-error.js';
import { StorageCounts } from './storage.counts.js';
import { StorageProbe } from './storage.probe.js';
import { StorageProvider } from './storage.provider.js';
import { TagStore } from './tag.store.js';

/** One line for each provider, loaded only when it is chosen. */
const providers: {
  [Name in StorageSettings['provider']]: (settings: StorageSettings & { provider: Name }) => Promise<StorageProvider>;
} = {
  s3: () => Promise.reject(new StorageError('failed', 's3 is not built yet')),
  custom: () => Promise.reject(new StorageError('failed', 'custom is not built yet')),
  filesystem: async ({ root, umask }) =>
    new (await import('./providers/filesystem/filesystem.provider.js')).FilesystemProvider(root, undefined, umask),
  memory: async () => new (await import('./providers/memory/memory.provider.js')).MemoryProvider(),
};

/** @throws StorageError when the storage cannot be used, with a message for the person who started the program. */
async function openStorage(settings: StorageSettings): Promise<StorageProvider> {
  const open = providers[settings.provider] as (settings: StorageSettings) => Promise<StorageProvider>;
  const provider = await open(settings);
  await provider.initialize();
  return provider;
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
  /** @param replacement a provider to use instead of the configured one, as tests do; it is initialized here. */
  static register(replacement?: StorageProvider): DynamicModule {
    const provider = {
      provide: StorageProvider,
      inject: [storageSettings, StorageCounts],
      useFactory: async (settings: StorageSettings, counts: StorageCounts) => {
        if (!replacement) return new CountedProvider(await openStorage(settings), counts);
        await replacement.initialize();
        return new CountedProvider(replacement, counts);
      },
    };
    const hot = {
      provide: HotCache,
      inject: [ServerSettings],
      useFactory: (server: ServerSettings) => new HotCache(server.memoryCache),
    };
    const store = <T>(type: new (provider: StorageProvider, hot: HotCache) => T) => ({
      provide: type,
      inject: [StorageProvider, HotCache],
      useFactory: (opened: StorageProvider, memory: HotCache) => new type(opened, memory),
    });
    const probe = {
      provide: StorageProbe,
      inject: [StorageProvider],
      useFactory: (opened: StorageProvider) => new StorageProbe(opened),
    };
    const stores = [store(ContentStore), store(ListStore), store(ManifestStore), store(TagStore)];
    return {
      module: StorageModule,
      providers: [provider, hot, ...stores, probe, StorageCloser, IngestSweeper, StorageCounts, MaintenanceCounts],
      exports: [ContentStore, ListStore, ManifestStore, TagStore, StorageProbe, StorageCounts, MaintenanceCounts],
    };
  }
}
