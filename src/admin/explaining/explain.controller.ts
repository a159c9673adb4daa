import { Controller, Get, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ExplainService } from '../../registry/explaining/explain.service.js';
import { AdminGuard, isOfRepository } from '../admin.guard.js';
import { sendJson } from '../json.response.js';
import { AccessExplanation } from './access.explanation.js';
import { OwnAddresses } from './own.addresses.js';
import { readExplainQuery } from './explain.query.js';

/** Why pulls of a reference end as they do. Changes nothing. */
@Controller('_admin/explain')
@UseGuards(AdminGuard)
export class ExplainController {
  constructor(
    private readonly explaining: ExplainService,
    private readonly access: AccessExplanation,
    private readonly addresses: OwnAddresses,
  ) {}

  @Get()
  async explain(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { ref, subject } = readExplainQuery(request.query);
    const image = this.explaining.parse(ref, this.addresses.of(request.headers));
    const explanation = await this.explaining.explain(image, !isOfRepository(request));
    sendJson(reply, 200, { ...explanation, access: this.access.explain(image.repository, subject) });
  }
}
