import { type DynamicModule, Module } from '@nestjs/common';
import { Resolver, SystemResolver } from './transport/resolver.js';
import { PeerClient } from './transport/peer.client.js';
import { UpstreamClient } from './upstream.client.js';
import { UpstreamsService } from './upstreams.service.js';

@Module({})
export class UpstreamModule {
  /** @param resolver replaced in tests. */
  static register(resolver: Resolver = new SystemResolver()): DynamicModule {
    return {
      module: UpstreamModule,
      providers: [PeerClient, UpstreamsService, UpstreamClient, { provide: Resolver, useValue: resolver }],
      exports: [PeerClient, UpstreamsService, UpstreamClient],
    };
  }
}
