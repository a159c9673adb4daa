import { Controller, Delete, Get, Head, Patch, Post, Put, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Digest } from '../oci/digest.js';
import { RepositoryRef } from '../oci/repository.js';
import type { ChunkRange, PushBody } from '../registry/push.js';
import { UploadsService } from '../registry/uploads.service.js';
import { Visibility, type IsVisible } from './access/visibility.js';
import { Repository, UploadBodyOf, UrlOf } from './parameters.js';
import { PushGuard } from './access/push.guard.js';
import { EventsOf, type RequestEvents } from './events/request.events.js';
import { RepositoryUrl } from './requests/repository.url.js';
import {
  BegunOf,
  ChunkRangeOf,
  ClientOf,
  EpochOf,
  FinalDigestOf,
  StartQueryOf,
  UploadIdOf,
} from './requests/upload.parameters.js';
import type { StartQuery } from './requests/upload.parameters.js';
import { mountable, startUpload } from './requests/upload.start.js';
import { blobCreatedResponse, cancelledResponse, statusResponse, uploadResponse } from './responses/push.response.js';
import { send } from './responses/send.js';

/** Uploads of blobs (end-4 to end-6, end-11, end-13, end-14). */
@Controller('v2/:repository/blobs/uploads')
@UseGuards(PushGuard)
export class UploadsController {
  constructor(private readonly uploads: UploadsService) {}

  @Post()
  async start(
    @Repository() repository: RepositoryRef,
    @StartQueryOf() query: StartQuery,
    @Visibility() isVisible: IsVisible | undefined,
    @UploadBodyOf() body: PushBody,
    @UrlOf() url: RepositoryUrl,
    @ClientOf() client: string | undefined,
    @EventsOf() events: RequestEvents | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const allowed = mountable(query, isVisible);
    await send(reply, await startUpload(this.uploads, repository, allowed, body, url, client, isVisible, events));
  }

  @Patch(':id')
  async append(
    @Repository() repository: RepositoryRef,
    @UploadIdOf() id: string,
    @EpochOf() epoch: number | undefined,
    @ChunkRangeOf() range: ChunkRange | undefined,
    @UploadBodyOf() body: PushBody,
    @UrlOf() url: RepositoryUrl,
    @ClientOf() client: string | undefined,
    @BegunOf() begun: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(
      reply,
      uploadResponse(url, await this.uploads.append(repository, id, epoch, range, body, client, begun)),
    );
  }

  @Put(':id')
  async complete(
    @Repository() repository: RepositoryRef,
    @UploadIdOf() id: string,
    @EpochOf() epoch: number | undefined,
    @FinalDigestOf() digest: Digest,
    @ChunkRangeOf() range: ChunkRange | undefined,
    @UploadBodyOf() body: PushBody,
    @UrlOf() url: RepositoryUrl,
    @ClientOf() client: string | undefined,
    @BegunOf() begun: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.uploads.complete(repository, id, epoch, digest, range, body, client, begun);
    await send(reply, blobCreatedResponse(url, digest));
  }

  @Get(':id')
  async status(
    @Repository() repository: RepositoryRef,
    @UploadIdOf() id: string,
    @EpochOf() epoch: number | undefined,
    @UrlOf() url: RepositoryUrl,
    @ClientOf() client: string | undefined,
    @BegunOf() begun: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(reply, statusResponse(url, await this.uploads.status(repository, id, epoch, client, begun)));
  }

  @Head(':id')
  statusHead(
    @Repository() repository: RepositoryRef,
    @UploadIdOf() id: string,
    @EpochOf() epoch: number | undefined,
    @UrlOf() url: RepositoryUrl,
    @ClientOf() client: string | undefined,
    @BegunOf() begun: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.status(repository, id, epoch, url, client, begun, reply);
  }

  @Delete(':id')
  async cancel(
    @Repository() repository: RepositoryRef,
    @UploadIdOf() id: string,
    @EpochOf() epoch: number | undefined,
    @ClientOf() client: string | undefined,
    @BegunOf() begun: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.uploads.cancel(repository, id, epoch, client, begun);
    await send(reply, cancelledResponse);
  }
}
