import { Controller, Post, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { SweepService } from '../registry/eviction/sweep.service.js';
import { AdminGuard } from './admin.guard.js';
import { DryRunResponse, isAsked } from './dry-run.response.js';
import { sendJson } from './json.response.js';

/** Collects the garbage of hosted repositories, or says what it is. */
@Controller('_admin/gc')
@UseGuards(AdminGuard)
export class GarbageController {
  private readonly dryRun = new DryRunResponse();

  constructor(private readonly sweeping: SweepService) {}

  /** A sweep, or with `dry_run` a line for each record that it would remove now. */
  @Post()
  async collect(@Query('dry_run') dryRun: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    if (isAsked(dryRun))
      return this.dryRun.send(reply, async (signal, report) => {
        const failed = await this.sweeping.findGarbage(signal, ({ repository, kind, tag, digest, usedAt, reason }) =>
          report({ repository, kind, tag, digest, usedAt, reason }),
        );
        return { failed };
      });
    this.sweeping.run().catch(() => undefined);
    sendJson(reply, 202, this.sweeping.status);
  }
}
