import { Controller, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { upstreamSettings } from '../../config/config.module.js';
import { ServerSettings } from '../../config/server.settings.js';
import type { UpstreamSettings } from '../../config/upstream.settings.js';
import type { ImageRules } from '../../oci/image-reference.js';
import { Namespace } from '../../oci/namespace.js';
import { AdminGuard } from '../admin.guard.js';
import { start } from '../json.response.js';
import { TextStream } from '../text.stream.js';
import { readWarmRequest } from './warm.request.js';
import { WarmService } from './warm.service.js';

/** Pulls images ahead of those who will want them. */
@Controller('_admin/warm')
@UseGuards(AdminGuard)
export class WarmController {
  private readonly rules: ImageRules;

  constructor(
    private readonly warming: WarmService,
    server: ServerSettings,
    @Inject(upstreamSettings) upstreams: readonly UpstreamSettings[],
  ) {
    const configured = new Set(upstreams.map(({ namespace }) => Namespace.parse(namespace).toString()));
    this.rules = { defaultNamespace: server.defaultNamespace, configured };
  }

  /** Answers with one event a line, as things happen; it ends when the client leaves. */
  @Post()
  async warm(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const asked = await readWarmRequest(request.raw, this.rules);
    this.warming.enter();
    start(reply, 200, { 'content-type': 'application/x-ndjson' });
    const stream = new TextStream(reply);
    try {
      await this.warming.warm(asked, (event) => stream.write(`${JSON.stringify(event)}\n`), stream.signal);
      stream.end();
    } catch (error) {
      stream.break();
      // A client that left is not an error of anybody.
      if (!stream.signal.aborted) throw error;
    }
  }
}
