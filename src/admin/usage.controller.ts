import { Controller, Get, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { UsageService } from '../registry/eviction/usage.service.js';
import { AdminGuard } from './admin.guard.js';
import { sendJson, start } from './json.response.js';
import { pageOf, readPageQuery } from './repository-page.js';
import { TextStream } from './text.stream.js';

/** What is stored. */
@Controller('_admin')
@UseGuards(AdminGuard)
export class UsageController {
  constructor(private readonly used: UsageService) {}

  @Get('usage')
  async usage(@Res() reply: FastifyReply): Promise<void> {
    sendJson(reply, 200, await this.used.usage());
  }

  /** With `n`, a page sorted by name; without, everything, in the order of the storage. */
  @Get('repositories')
  async repositories(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = readPageQuery(request.query);
    if (query.n === undefined) await this.stream(reply, query.last);
    else {
      const { repositories, next } = await pageOf(this.used.repositories(), query.n, query.last);
      sendJson(
        reply,
        200,
        { repositories },
        next === undefined ? {} : { link: `</_admin/repositories?${next}>; rel="next"` },
      );
    }
  }

  private async stream(reply: FastifyReply, last: string): Promise<void> {
    start(reply, 200, { 'content-type': 'application/json' });
    const stream = new TextStream(reply);
    try {
      await stream.write('{"repositories":[');
      let separator = '\n';
      for await (const repository of this.used.repositories()) {
        stream.signal.throwIfAborted();
        if (`${repository.namespace}/${repository.name}` <= last) continue;
        await stream.write(`${separator}${JSON.stringify(repository)}`);
        separator = ',\n';
      }
      await stream.write('\n]}\n');
      stream.end();
    } catch (error) {
      stream.break();
      if (!stream.signal.aborted) throw error;
    }
  }
}
