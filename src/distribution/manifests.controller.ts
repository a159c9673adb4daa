import { Controller, Delete, Get, Head, Headers, Put, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Reference } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';
import { ManifestsService } from '../registry/manifests.service.js';
import { manifestResponse } from './responses/manifest.response.js';
import { ManifestBodyOf, ReferenceOf, Repository, UrlOf } from './parameters.js';
import { PushGuard } from './access/push.guard.js';
import { EventsOf, PullEvents, type RequestEvents } from './events/request.events.js';
import { PreconditionsOf, PushQueryOf, type PushQuery } from './requests/manifest.parameters.js';
import { RepositoryUrl } from './requests/repository.url.js';
import { deletedResponse, manifestCreatedResponse } from './responses/push.response.js';
import { send } from './responses/send.js';

/** Manifests by tag and by digest (end-3, end-7, end-9). */
@Controller('v2/:repository/manifests/:reference')
export class ManifestsController {
  constructor(
    private readonly manifests: ManifestsService,
    private readonly pulls: PullEvents,
  ) {}

  @Get()
  async get(
    @Repository() repository: RepositoryRef,
    @ReferenceOf() reference: Reference,
    @Headers('if-none-match') tag: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const manifest = await this.manifests.get(repository, reference);
    const response = manifestResponse(repository, manifest, tag);
    await send(reply, this.pulls.noted(response, repository, reference, manifest));
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

  @Put()
  @UseGuards(PushGuard)
  async put(
    @Repository() repository: RepositoryRef,
    @PushQueryOf() { reference, ...query }: PushQuery,
    @ManifestBodyOf() body: Buffer,
    @UrlOf() url: RepositoryUrl,
    @EventsOf() events: RequestEvents | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const result = await this.manifests.put(repository, reference, { ...query, body });
    await events?.pushed(repository, result);
    await send(reply, manifestCreatedResponse(url, result));
  }

  @Delete()
  @UseGuards(PushGuard)
  async delete(
    @Repository() repository: RepositoryRef,
    @ReferenceOf() reference: Reference,
    @PreconditionsOf() conditions: Pick<PushQuery, 'ifMatch' | 'ifNoneMatch'>,
    @EventsOf() events: RequestEvents | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const tags = await this.manifests.delete(repository, reference, conditions);
    await events?.deletedManifest(repository, reference, tags);
    await send(reply, deletedResponse);
  }
}
