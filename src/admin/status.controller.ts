import { Controller, Get, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Reloads } from '../config/reload/reloads.js';
import { CombinedHistory } from '../registry/statistics/history/combined.history.js';
import { totalOf } from '../registry/statistics/history/traffic.history.js';
import { RegistryStatistics } from '../registry/statistics/registry.statistics.js';
import { AdminGuard } from './admin.guard.js';
import { sendJson } from './json.response.js';

/** How this process gets on with its upstreams and its files. */
@Controller('_admin/status')
@UseGuards(AdminGuard)
export class StatusController {
  constructor(
    private readonly statistics: RegistryStatistics,
    private readonly reloads: Reloads,
    private readonly history: CombinedHistory,
  ) {}

  @Get()
  async status(@Res() reply: FastifyReply): Promise<void> {
    const upstreams = this.statistics.upstreamStates.map(
      ({ namespace, host, outcome, fallbacks, circuit, rateLimit }) => {
        return {
          namespace,
          host,
          ...outcome,
          fallbacks: fallbacks.map((each) => ({ host: each.host, ...each.outcome })),
          circuit,
          rateLimit,
        };
      },
    );
    const credentials = this.statistics.upstreamCredentials.map(({ expiresAt, ...state }) => {
      return { ...state, ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }) };
    });
    const { day, month, ...all } = await this.history.view();
    const history = { lastDay: totalOf(day), last30Days: totalOf(month), ...all };
    sendJson(reply, 200, { upstreams, credentials, configuration: this.reloads.status, history });
  }
}
