import { Controller, Get, Head, Header, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ReadinessService, type Readiness } from '../../registry/readiness.service.js';
import { ExactPathGuard } from '../exact-path.guard.js';

/** Probes of orchestrators and load balancers. Upstreams do not count: stored content is served without them. */
@Controller()
@UseGuards(ExactPathGuard)
export class HealthController {
  constructor(private readonly readiness: ReadinessService) {}

  /** 200 as long as the event loop runs. */
  @Get('healthz')
  @Header('cache-control', 'no-store')
  live(): { readonly status: 'alive' } {
    return { status: 'alive' };
  }

  @Head('healthz')
  @Header('cache-control', 'no-store')
  liveHead(): { readonly status: 'alive' } {
    return this.live();
  }

  @Get('readyz')
  @Header('cache-control', 'no-store')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<Readiness> {
    const readiness = await this.readiness.check();
    reply.status(readiness.status === 'ready' ? 200 : 503);
    return readiness;
  }

  @Head('readyz')
  @Header('cache-control', 'no-store')
  readyHead(@Res({ passthrough: true }) reply: FastifyReply): Promise<Readiness> {
    return this.ready(reply);
  }
}
