import { Catch, HttpException, Inject, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { upstreamSettings } from '../config/config.module.js';
import { ServerSettings } from '../config/server.settings.js';
import type { UpstreamSettings } from '../config/upstream.settings.js';
import { codeOfStatus, OciError } from '../oci/error.js';
import { namespaceRules } from './namespace.rules.js';
import { isDistributionPath, pushRefusal } from './push.refusal.js';
import type { NamespaceRules } from './request-target.js';
import { errorResponse } from './responses/error.response.js';
import { send } from './responses/send.js';

/** Turns every error, the framework's included, into the specification's error document. */
@Catch()
export class OciExceptionFilter implements ExceptionFilter {
  private readonly logger = new Logger('Request');
  private readonly rules: NamespaceRules;

  constructor(server: ServerSettings, @Inject(upstreamSettings) upstreams: readonly UpstreamSettings[]) {
    this.rules = namespaceRules({ server, upstreams });
  }

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    // `send` has already reset the connection.
    if (reply.raw.headersSent) {
      this.logger.warn(`a response was cut off: ${messageOf(error)}`);
      return;
    }
    const response = this.responseTo(error, reply.request);
    if (response.code === 'UNKNOWN')
      this.logger.error(messageOf(error), error instanceof Error ? error.stack : undefined);
    // For the request's log line.
    Object.assign(reply.request, { refusal: `${response.code}: ${response.message}` });
    await send(reply, errorResponse(response));
  }

  private responseTo(error: unknown, { method, originalUrl }: FastifyRequest): OciError {
    const response = toOciError(error, method);
    const isPush = response.code === 'UNSUPPORTED' && response !== error && isDistributionPath(originalUrl);
    return isPush ? pushRefusal(originalUrl, this.rules) : response;
  }
}

/** @param method of the request: an unknown path is 404 to GET and HEAD, and UNSUPPORTED to every other method. */
export function toOciError(error: unknown, method: string): OciError {
  if (error instanceof OciError) return error;
  const status = statusOf(error);
  if (status === undefined) return new OciError('UNKNOWN');
  // The framework checks a body's Content-Type even where no route takes a body.
  if ([404, 415].includes(status) && method !== 'GET' && method !== 'HEAD') return new OciError('UNSUPPORTED');
  return new OciError(codeOfStatus(status), undefined, { status });
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  // Errors of the HTTP framework, such as a malformed URL.
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  return undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'a value that is not an Error was thrown';
}
