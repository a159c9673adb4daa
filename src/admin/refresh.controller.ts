import { Controller, Post, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Digest } from '../oci/digest.js';
import { OciError } from '../oci/error.js';
import type { Reference } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';
import { TagsService } from '../registry/tags.service.js';
import { AdminGuard } from './admin.guard.js';
import { sendJson } from './json.response.js';
import { ReferenceOf, Repository } from './parameters.js';

/** Asks upstreams about tags before their time. */
@Controller('_admin/:repository')
@UseGuards(AdminGuard)
export class RefreshController {
  constructor(private readonly tags: TagsService) {}

  @Post('manifests/:reference')
  async refresh(
    @Repository() repository: RepositoryRef,
    @ReferenceOf() reference: Reference,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (reference instanceof Digest)
      throw new OciError('UNSUPPORTED', 'a digest never changes: only tags are refreshed');
    const { digest, before } = await this.tags.refresh(repository, reference);
    sendJson(reply, 200, {
      refreshed: `${repository.toString()}:${reference.name}`,
      digest: digest.toString(),
      ...(before && { before: before.toString() }),
    });
  }
}
