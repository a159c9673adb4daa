import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { RepositoryRef } from '../../oci/repository.js';
import { PushRights } from '../../registry/push-rights.js';

/** Refuses a request that writes where the client may not, before its body is read. */
@Injectable()
export class PushGuard implements CanActivate {
  constructor(private readonly rights: PushRights) {}

  canActivate(context: ExecutionContext): boolean {
    const { params } = context.switchToHttp().getRequest<FastifyRequest<{ Params: { repository: string } }>>();
    this.rights.assert(RepositoryRef.parse(params.repository));
    return true;
  }
}
