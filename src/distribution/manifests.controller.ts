import { Controller, Get, Head, Headers, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Reference } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';
import { ManifestsService } from '../registry/manifests.service.js';
import { manifestResponse } from './responses/manifest.response.js';
import { ReferenceOf, Repository } from './parameters.js';
import { send } from './responses/send.js';

/** Manifests by tag and by digest (end-3). */
@Controller('v2/:repository/manifests/:reference')
export class ManifestsController {
  constructor(private readonly manifests: ManifestsService) {}

  @Get()
  async get(
    @Repository() repository: RepositoryRef,
    @ReferenceOf() reference: Reference,
    @Headers('if-none-match') tag: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(reply, manifestResponse(repository, await this.manifests.get(repository, reference), tag));
  }

  @Head()
  async head(
    @Repository() repository: RepositoryRef,
    @ReferenceOf() reference: Reference,
    @Headers('if-none-match') tag: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(reply, manifestResponse(repository, await this.manifests.head(repository, reference), tag));
  }
}
