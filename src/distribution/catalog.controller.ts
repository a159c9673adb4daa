import { Controller, Get, Head, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Namespace } from '../oci/namespace.js';
import { CatalogService } from '../registry/catalog.service.js';
import { Visibility, type IsVisible } from './access/visibility.js';
import { ListQueryOf, NamespaceOf, type ListQuery } from './parameters.js';
import { catalogResponse } from './responses/listing.response.js';
import { send } from './responses/send.js';

/** The repositories that content was pushed to; `foldTarget` names the namespace where the request does. */
@Controller('v2/:namespace/_catalog')
export class CatalogController {
  constructor(private readonly catalog: CatalogService) {}

  @Get()
  async get(
    @NamespaceOf() namespace: Namespace | undefined,
    @ListQueryOf() { path, query, page }: ListQuery,
    @Visibility() isVisible: IsVisible | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await send(reply, catalogResponse(await this.catalog.list(page, namespace, isVisible), path, query));
  }

  @Head()
  head(
    @NamespaceOf() namespace: Namespace | undefined,
    @ListQueryOf() list: ListQuery,
    @Visibility() isVisible: IsVisible | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.get(namespace, list, isVisible, reply);
  }
}
