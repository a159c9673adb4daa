import { Controller, Get, Head, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { RepositoryRef } from '../oci/repository.js';
import { TagsService } from '../registry/tags.service.js';
import { tagsResponse } from './responses/listing.response.js';
import { ListQueryOf, Repository, type ListQuery } from './parameters.js';
import { send } from './responses/send.js';

/** Tag lists (end-8a, end-8b). */
@Controller('v2/:repository/tags/list')
export class TagsController {
  constructor(private readonly tags: TagsService) {}

  @Get()
  async get(
    @Repository() repository: RepositoryRef,
    @ListQueryOf() { path, query, passed }: ListQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(reply, tagsResponse(repository, await this.tags.list(repository, passed, nameIn(path)), path, query));
  }

  @Head()
  head(
    @Repository() repository: RepositoryRef,
    @ListQueryOf() list: ListQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.get(repository, list, reply);
  }
}

/** The repository as its client names it; undefined where that is not plain. */
function nameIn(path: string): string | undefined {
  return /\/v2\/([a-z0-9._/:-]+)\/tags\/list$/.exec(path)?.[1];
}
