import { Controller, Delete, Get, Head, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Digest } from '../oci/digest.js';
import { RepositoryRef } from '../oci/repository.js';
import type { Requester } from '../registry/blob.js';
import { BlobsService } from '../registry/blobs.service.js';
import { blobResponse, blobHeadResponse, rangeOf, type Conditions } from './responses/blob.response.js';
import { RequesterOf, ConditionsOf, DigestOf, Repository } from './parameters.js';
import { PushGuard } from './access/push.guard.js';
import { EventsOf, type RequestEvents } from './events/request.events.js';
import { deletedResponse } from './responses/push.response.js';
import { send } from './responses/send.js';

/** Blobs (end-2, end-10). */
@Controller('v2/:repository/blobs/:digest')
export class BlobsController {
  constructor(private readonly blobs: BlobsService) {}

  @Get()
  async get(
    @Repository() repository: RepositoryRef,
    @DigestOf() digest: Digest,
    @ConditionsOf() conditions: Conditions,
    @RequesterOf() requester: Requester,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const range = rangeOf(digest, conditions);
    const blob = await this.blobs.open({ repository, digest, requester, range });
    await send(reply, blobResponse(repository, blob, conditions));
  }

  @Head()
  async head(
    @Repository() repository: RepositoryRef,
    @DigestOf() digest: Digest,
    @ConditionsOf() conditions: Conditions,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(reply, blobHeadResponse(repository, await this.blobs.head(repository, digest), conditions));
  }

  @Delete()
  @UseGuards(PushGuard)
  async delete(
    @Repository() repository: RepositoryRef,
    @DigestOf() digest: Digest,
    @EventsOf() events: RequestEvents | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.blobs.delete(repository, digest);
    await events?.deletedBlob(repository, digest);
    await send(reply, deletedResponse);
  }
}
