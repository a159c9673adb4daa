import { Controller, Get, Post, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ScrubService } from '../registry/eviction/scrub.service.js';
import { SweepService } from '../registry/eviction/sweep.service.js';
import { AdminGuard } from './admin.guard.js';
import { sendJson } from './json.response.js';

/** What both services offer. */
interface Work {
  readonly status: object;
  run(): Promise<unknown>;
}

/** Work that goes on behind its answer, one of each kind at a time: it is begun, and asked about. */
@Controller('_admin')
@UseGuards(AdminGuard)
export class MaintenanceController {
  constructor(
    private readonly sweeping: SweepService,
    private readonly scrubbing: ScrubService,
  ) {}

  @Post('sweep')
  beginSweep(@Res() reply: FastifyReply): void {
    begin(this.sweeping, reply);
  }

  @Get('sweep')
  sweep(@Res() reply: FastifyReply): void {
    sendJson(reply, 200, this.sweeping.status);
  }

  @Post('scrub')
  beginScrub(@Res() reply: FastifyReply): void {
    begin(this.scrubbing, reply);
  }

  @Get('scrub')
  scrub(@Res() reply: FastifyReply): void {
    sendJson(reply, 200, this.scrubbing.status);
  }
}

/** What runs already is joined. Each service logs what goes wrong, and its status tells of it. */
function begin(work: Work, reply: FastifyReply): void {
  work.run().catch(() => undefined);
  sendJson(reply, 202, work.status);
}
