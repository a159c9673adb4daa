import { type DynamicModule, Module } from '@nestjs/common';
import { AccessModule } from './access/access.module.js';
import { KeyStore } from './access/tokens/key.store.js';
import { AdminModule } from './admin/admin.module.js';
import type { Clock } from './config/clock/clock.js';
import { ConfigModule } from './config/config.module.js';
import type { Settings } from './config/settings.js';
import { DistributionModule } from './distribution/distribution.module.js';
import { EventsModule } from './events/events.module.js';
import { ObservabilityModule } from './observability/observability.module.js';
import { RegistryModule } from './registry/registry.module.js';
import { SecretStore } from './storage/stores/secret.store.js';
import { StorageModule } from './storage/storage.module.js';
import type { StorageProvider } from './storage/storage.provider.js';
import type { Resolver } from './upstream/transport/resolver.js';
import { UpstreamModule } from './upstream/upstream.module.js';

/** What a test may replace. */
export interface Replacements {
  readonly clock?: Clock;
  readonly resolver?: Resolver;
  readonly storage?: StorageProvider;
}

@Module({})
export class AppModule {
  static register(settings: Settings, { clock, resolver, storage }: Replacements = {}): DynamicModule {
    // One instance, shared by all modules that import it.
    const registry = RegistryModule.register(UpstreamModule.register(resolver));
    return {
      module: AppModule,
      imports: [
        ConfigModule.register(settings, clock),
        StorageModule.register(storage),
        EventsModule,
        AccessModule.register({ provide: KeyStore, useExisting: SecretStore }),
        DistributionModule.register(registry),
        AdminModule.register(registry),
        ObservabilityModule.register(registry),
      ],
    };
  }
}
