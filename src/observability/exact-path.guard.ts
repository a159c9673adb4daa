import { Injectable, NotFoundException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { pathOf } from './logging/request.path.js';

/**
 * Admits one spelling of a path only: a proxy that denies `/metrics` must not be bypassed with `/%6detrics`. Every other
 * spelling is 404.
 */
@Injectable()
export class ExactPathGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { originalUrl, routeOptions } = context.switchToHttp().getRequest<FastifyRequest>();
    if (pathOf(originalUrl) !== routeOptions.url) throw new NotFoundException();
    return true;
  }
}
