import { Controller, Get, Post, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ScrubService } from '../registry/eviction/scrub.service.js';
import type { Removable } from '../registry/eviction/sweep.place.js';
import { SweepService } from '../registry/eviction/sweep.service.js';
import { AdminGuard } from './admin.guard.js';
import { DryRunResponse, isAsked } from './dry-run.response.js';
import { sendJson } from './json.response.js';

/** What both services offer. */
interface Job {
  readonly status: object;
  run(): Promise<unknown>;
}

/** Background jobs, one of each kind at a time: POST starts one, GET shows its status. A sweep can be a dry run. */
@Controller('_admin')
@UseGuards(AdminGuard)
export class MaintenanceController {
  private readonly dryRun = new DryRunResponse();

  constructor(
    private readonly sweeping: SweepService,
    private readonly scrubbing: ScrubService,
  ) {}

  @Post('sweep')
  async startSweep(@Query('dry_run') dryRun: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    if (!isAsked(dryRun)) {
      start(this.sweeping, reply);
      return;
    }
    this.sweeping.assertCanFind();
    await this.dryRun.send<Removable>(reply, (signal, report) => this.sweeping.findRemovable(signal, report));
  }

  @Get('sweep')
  sweep(@Res() reply: FastifyReply): void {
    sendJson(reply, 200, this.sweeping.status);
  }

  @Post('scrub')
  startScrub(@Res() reply: FastifyReply): void {
    start(this.scrubbing, reply);
  }

  @Get('scrub')
  scrub(@Res() reply: FastifyReply): void {
    sendJson(reply, 200, this.scrubbing.status);
  }
}

/** Joins a running job. Each service logs its failures and shows them in its status. */
function start(job: Job, reply: FastifyReply): void {
  job.run().catch(() => undefined);
  sendJson(reply, 202, job.status);
}
