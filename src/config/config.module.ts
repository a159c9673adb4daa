import { type DynamicModule, Module } from '@nestjs/common';
import { ConfigModule as NestConfigModule, ConfigService } from '@nestjs/config';
import { Clock, SystemClock } from './clock/clock.js';
import { BodyMemory } from './memory/body.memory.js';
import { Reloads } from './reload/reloads.js';
import { ServerSettings } from './server.settings.js';
import type { Settings } from './settings.js';

/** Injection token of `StorageSettings`. */
export const storageSettings = Symbol('StorageSettings');
/** Injection token of the list of `UpstreamSettings`. */
export const upstreamSettings = Symbol('UpstreamSettings');
/** Injection token of the list of `HostedSettings`. */
export const hostedSettings = Symbol('HostedSettings');

/** Injection token of `AccessSettings`; undefined without an access file. */
export const accessSettings = Symbol('AccessSettings');

/** Injection token of the list of `WebhookSettings`; undefined without a webhooks file. */
export const webhookSettings = Symbol('WebhookSettings');

/** Makes validated settings injectable. Only `cli` reads the environment. */
@Module({})
export class ConfigModule {
  static register(settings: Settings, clock: Clock = new SystemClock()): DynamicModule {
    const source = NestConfigModule.forRoot({
      ignoreEnvFile: true,
      skipProcessEnv: true,
      load: [() => ({ ...settings })],
    });
    const provide = (token: symbol | typeof ServerSettings, key: keyof Settings) => ({
      provide: token,
      inject: [ConfigService],
      useFactory: (config: ConfigService<Settings, true>) => config.get(key, { infer: true }),
    });
    const memory = {
      provide: BodyMemory,
      inject: [ServerSettings],
      useFactory: ({ bodyMemory }: ServerSettings) => new BodyMemory(bodyMemory),
    };
    const providers = [
      provide(ServerSettings, 'server'),
      provide(storageSettings, 'storage'),
      provide(upstreamSettings, 'upstreams'),
      provide(hostedSettings, 'hosted'),
      provide(accessSettings, 'access'),
      provide(webhookSettings, 'webhooks'),
    ];
    return {
      module: ConfigModule,
      global: true,
      imports: [source],
      providers: [...providers, memory, Reloads, { provide: Clock, useValue: clock }],
      exports: [...providers.map((p) => p.provide), BodyMemory, Clock, Reloads],
    };
  }
}
