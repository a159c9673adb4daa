import { Controller, Get, Post, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Reloads } from '../config/reload/reloads.js';
import { AdminGuard } from './admin.guard.js';
import { sendJson } from './json.response.js';

/** Reads the files of the configuration again; GET shows what came of the last time. */
@Controller('_admin')
@UseGuards(AdminGuard)
export class ReloadController {
  constructor(private readonly reloads: Reloads) {}

  @Post('reload')
  async reload(@Res() reply: FastifyReply): Promise<void> {
    const report = await this.reloads.reloadAll();
    sendJson(reply, report.result === 'rejected' ? 409 : 200, report);
  }

  @Get('reload')
  last(@Res() reply: FastifyReply): void {
    sendJson(reply, 200, this.reloads.status);
  }
}
