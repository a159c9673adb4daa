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

/** Pulls images before clients need them. */
@Controller('_admin/warm')
@UseGuards(AdminGuard)
export class WarmController {
  private rules: ImageRules;

  constructor(
    private readonly warming: WarmService,
    private readonly server: ServerSettings,
    @Inject(upstreamSettings) upstreams: readonly UpstreamSettings[],
  ) {
    this.rules = this.rulesOf(upstreams);
  }

  /** Follows the upstream file. */
  replace(upstreams: readonly UpstreamSettings[]): void {
    this.rules = this.rulesOf(upstreams);
  }

  private rulesOf(upstreams: readonly UpstreamSettings[]): ImageRules {
    const configured = new Set(upstreams.map(({ namespace }) => Namespace.parse(namespace).toString()));
    return { defaultNamespace: this.server.defaultNamespace, configured };
  }

  /** Sends one event per line as it happens; stops when the client leaves. */
  @Post()
  async warm(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const wanted = await readWarmRequest(request.raw, this.rules);
    this.warming.enter();
    start(reply, 200, { 'content-type': 'application/x-ndjson' });
    const stream = new TextStream(reply);
    try {
      await this.warming.warm(wanted, (event) => stream.write(`${JSON.stringify(event)}\n`), stream.signal);
      stream.end();
    } catch (error) {
      stream.break();
      // A client that left is no error.
      if (!stream.signal.aborted) throw error;
    }
  }
}
