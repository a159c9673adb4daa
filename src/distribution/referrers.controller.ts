import { Controller, Get, Head, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Digest } from '../oci/digest.js';
import { RepositoryRef } from '../oci/repository.js';
import { ReferrersService } from '../registry/referrers.service.js';
import { referrersResponse } from './responses/listing.response.js';
import { DigestOf, ListQueryOf, Repository, type ListQuery } from './parameters.js';
import { send } from './responses/send.js';

/** Referrers (end-12a, end-12b). */
@Controller('v2/:repository/referrers/:digest')
export class ReferrersController {
  constructor(private readonly referrers: ReferrersService) {}

  @Get()
  async get(
    @Repository() repository: RepositoryRef,
    @DigestOf() digest: Digest,
    @ListQueryOf() { path, query, passed }: ListQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(
      reply,
      referrersResponse(repository, await this.referrers.list(repository, digest, passed), path, query),
    );
  }

  @Head()
  head(
    @Repository() repository: RepositoryRef,
    @DigestOf() digest: Digest,
    @ListQueryOf() list: ListQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.get(repository, digest, list, reply);
  }
}
