import { createParamDecorator, Injectable, type ExecutionContext, type PipeTransform } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AccessService } from '../../access/access.service.js';
import { signedInOf } from '../../access/identified.request.js';
import type { RepositoryRef } from '../../oci/repository.js';

/** Whether the reader of a list may know of a repository. */
export type IsVisible = (repository: RepositoryRef) => boolean;

/** What the sender of a request may see; undefined without an access file. */
@Injectable()
export class VisibilityPipe implements PipeTransform<FastifyRequest, IsVisible | undefined> {
  constructor(private readonly access: AccessService) {}

  transform(request: FastifyRequest): IsVisible | undefined {
    const signedIn = signedInOf(request);
    // By the rules: the token of a catalog request is for the catalog, not for what is in it.
    return signedIn && ((repository) => this.access.decideByRules(signedIn.identity, 'pull', repository).isAllowed);
  }
}

const requestAsSent = createParamDecorator((_: undefined, context: ExecutionContext) =>
  context.switchToHttp().getRequest<FastifyRequest>(),
);
export const Visibility = () => requestAsSent(VisibilityPipe);
