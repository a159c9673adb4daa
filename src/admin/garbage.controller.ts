import { Controller, Post, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { OciError } from '../oci/error.js';
import { SweepService } from '../registry/eviction/sweep.service.js';
import { AdminGuard } from './admin.guard.js';
import { sendJson, start } from './json.response.js';
import { TextStream } from './text.stream.js';

/** Milliseconds between two empty lines, by which clients see that a large repository is being read. */
const heartbeat = 15_000;

/** Collects the garbage of hosted repositories, or says what it is. */
@Controller('_admin/gc')
@UseGuards(AdminGuard)
export class GarbageController {
  private isRunning = false;

  constructor(private readonly sweeping: SweepService) {}

  /** A sweep, or with `dry_run` a line for each record that it would remove now. */
  @Post()
  async collect(@Query('dry_run') dryRun: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    if (dryRun !== undefined && dryRun !== 'false') return this.dryRun(reply);
    this.sweeping.run().catch(() => undefined);
    sendJson(reply, 202, this.sweeping.status);
  }

  private async dryRun(reply: FastifyReply): Promise<void> {
    if (this.isRunning) throw new OciError('UNAVAILABLE', 'a dry run is in progress', { retryAfter: 5 });
    this.isRunning = true;
    start(reply, 200, { 'content-type': 'application/x-ndjson' });
    const stream = new TextStream(reply);
    const timer = setInterval(() => void stream.write('\n').catch(() => undefined), heartbeat);
    try {
      const { signal } = stream;
      const failed = await this.sweeping.findGarbage(signal, ({ repository, kind, tag, digest, usedAt, reason }) =>
        stream.write(`${JSON.stringify({ repository, kind, tag, digest, usedAt, reason })}\n`),
      );
      await stream.write(`${JSON.stringify({ failed })}\n`);
      stream.end();
    } catch (error) {
      stream.break();
      if (!stream.signal.aborted) throw error;
    } finally {
      clearInterval(timer);
      this.isRunning = false;
    }
  }
}
