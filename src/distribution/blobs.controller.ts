import { Controller, Get, Head, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Digest } from '../oci/digest.js';
import { RepositoryRef } from '../oci/repository.js';
import type { Asker } from '../registry/mirrored/asker.js';
import { BlobsService } from '../registry/mirrored/blobs.service.js';
import { blobAnswer, blobHeadAnswer, type Conditions } from './responses/blob.answer.js';
import { AskerOf, ConditionsOf, DigestOf, Repository } from './parameters.js';
import { send } from './responses/send.js';

/** Blobs (end-2). */
@Controller('v2/:repository/blobs/:digest')
export class BlobsController {
  constructor(private readonly blobs: BlobsService) {}

  @Get()
  async get(
    @Repository() repository: RepositoryRef,
    @DigestOf() digest: Digest,
    @ConditionsOf() conditions: Conditions,
    @AskerOf() asker: Asker,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(reply, blobAnswer(repository, await this.blobs.open(repository, digest, asker), conditions));
  }

  @Head()
  async head(
    @Repository() repository: RepositoryRef,
    @DigestOf() digest: Digest,
    @ConditionsOf() conditions: Conditions,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(reply, blobHeadAnswer(repository, await this.blobs.head(repository, digest), conditions));
  }
}
