import { Controller, Delete, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Digest } from '../oci/digest.js';
import { OciError } from '../oci/error.js';
import type { Reference } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';
import { RemovalService } from '../registry/eviction/removal.service.js';
import { AdminGuard } from './admin.guard.js';
import { sendJson } from './json.response.js';
import { ActorOf, DigestOf, ReferenceOf, Repository } from './parameters.js';

/** Removes stored content, which the next pull fetches again. */
@Controller('_admin/:repository')
@UseGuards(AdminGuard)
export class RemovalController {
  constructor(private readonly removal: RemovalService) {}

  @Delete('manifests/:reference')
  async removeManifest(
    @Repository() repository: RepositoryRef,
    @ReferenceOf() reference: Reference,
    @ActorOf() actor: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (!(await this.removal.removeManifest(repository, reference, actor))) throw new OciError('MANIFEST_UNKNOWN');
    sendJson(reply, 200, {
      removed: `${repository.toString()}${reference instanceof Digest ? '@' : ':'}${reference.toString()}`,
    });
  }

  @Delete('blobs/:digest')
  async removeBlob(
    @Repository() repository: RepositoryRef,
    @DigestOf() digest: Digest,
    @ActorOf() actor: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (!(await this.removal.removeBlob(repository, digest, actor))) throw new OciError('BLOB_UNKNOWN');
    sendJson(reply, 200, { removed: `${repository.toString()}@${digest.toString()}` });
  }
}
