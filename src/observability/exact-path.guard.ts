import { Injectable, NotFoundException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { pathOf } from './logging/request.path.js';

/**
 * Lets only the one spelling of a path through: whoever forbids `/metrics` in front of the mirror must not be evaded by
 * `/%6detrics`. Everything else is not there.
 */
@Injectable()
export class ExactPathGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { originalUrl, routeOptions } = context.switchToHttp().getRequest<FastifyRequest>();
    if (pathOf(originalUrl) !== routeOptions.url) throw new NotFoundException();
    return true;
  }
}
