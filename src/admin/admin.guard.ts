import { Injectable, NotFoundException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { parseListenAddress } from '../config/values/listen-address.js';
import type { Secret } from '../config/values/secret.js';
import { ServerSettings } from '../config/server.settings.js';
import { OciError } from '../oci/error.js';
import { cameToAdminAddress } from './admin.listener.js';
import { reasonAgainst } from './browser-origin.js';

/** Admits requests with the token, and requests to the admin address that no web page can have sent. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(private readonly settings: ServerSettings) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers, raw, originalUrl } = context.switchToHttp().getRequest<FastifyRequest>();
    // A proxy that denies `/_admin` must not be bypassed with `/%5fadmin`.
    if (!isLiteral(originalUrl)) throw new NotFoundException();
    if (bearsToken(headers, this.settings.adminToken)) return true;
    // Like any unknown path: a client must not learn that the route exists.
    if (!cameToAdminAddress(raw)) throw new NotFoundException();
    const address = parseListenAddress(this.settings.adminListen);
    const reason = address && 'path' in address ? undefined : reasonAgainst(headers, address?.host);
    if (reason !== undefined) throw new OciError('DENIED', reason);
    return true;
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
