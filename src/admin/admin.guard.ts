import { Injectable, NotFoundException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AccessService } from '../access/access.service.js';
import { reasonAgainstPage } from '../access/browser-origin.js';
import { signedInOf } from '../access/identified.request.js';
import type { Secret } from '../config/values/secret.js';
import { ServerSettings } from '../config/server.settings.js';
import { OciError } from '../oci/error.js';
import { RepositoryRef } from '../oci/repository.js';
import { ExplainService } from '../registry/explaining/explain.service.js';
import { OwnAddresses } from './explaining/own.addresses.js';
import { cameToAdminAddress, reasonAtAdminAddress } from './admin.listener.js';

const ofRepository = new WeakSet<object>();

/** Whether a request was admitted because its sender may administer the repository that it is about, and not the whole server. */
export function isOfRepository(request: object): boolean {
  return ofRepository.has(request);
}

/** Admits requests with the token, of identities that may administer, and requests to the admin address that no web page can have sent. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(
    private readonly settings: ServerSettings,
    private readonly access: AccessService,
    private readonly explaining: ExplainService,
    private readonly addresses: OwnAddresses,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { headers, raw, originalUrl } = request;
    // A proxy that denies `/_admin` must not be bypassed with `/%5fadmin`.
    if (!isLiteral(originalUrl)) throw new NotFoundException();
    if (bearsToken(headers, this.settings.adminToken)) return true;
    const signedIn = signedInOf(request);
    if (signedIn && this.access.mayAdminister(signedIn, this.repositoryOf(request))) {
      if (!this.access.mayAdminister(signedIn)) ofRepository.add(request);
      const reason = reasonAgainstPage(headers);
      if (reason !== undefined) throw new OciError('DENIED', reason);
      return true;
    }
    // Like any unknown path: a client must not learn that the route exists.
    if (!cameToAdminAddress(raw)) throw new NotFoundException();
    const reason = reasonAtAdminAddress(headers, this.settings.adminListen);
    if (reason !== undefined) throw new OciError('DENIED', reason);
    return true;
  }

  /** What a request is about; undefined for what is about the whole server. */
  private repositoryOf({ params, query, headers, routeOptions }: FastifyRequest): RepositoryRef | undefined {
    const { repository } = params as { readonly repository?: string };
    if (repository !== undefined) return RepositoryRef.parse(repository);
    const { ref } = query as { readonly ref?: unknown };
    if (routeOptions.url !== '/_admin/explain' || typeof ref !== 'string') return undefined;
    try {
      return this.explaining.parse(ref, this.addresses.of(headers)).repository;
    } catch (error) {
      // Whoever may administer everything gets the reason from the route.
      if (error instanceof OciError) return undefined;
      throw error;
    }
  }
}

/** Whether the prefix of the path is not encoded; names below it may be. */
function isLiteral(target: string): boolean {
  return target.replace(/^https?:\/\/[^/?#]*/i, '').startsWith('/_admin/');
}

/** Compares hashes, which have one length, so that the time tells nothing about the token. */
function bearsToken({ authorization }: IncomingHttpHeaders, token: Secret | undefined): boolean {
  const [, sent] = /^bearer +([!-~]{1,256})$/i.exec(authorization ?? '') ?? [];
  if (token === undefined || sent === undefined) return false;
  return timingSafeEqual(hashOf(sent), hashOf(token.reveal()));
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
