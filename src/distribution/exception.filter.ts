import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { codeOfStatus, OciError } from '../oci/error.js';
import { RangeRefused } from '../registry/push.js';
import { isDistributionPath, pushRefusal } from './push.refusal.js';
import type { NamespaceRules } from './request-target.js';
import { RepositoryUrl } from './requests/repository.url.js';
import { allowedMethods } from './responses/allowed.methods.js';
import { errorResponse } from './responses/error.response.js';
import type { HttpResponse } from './responses/http.response.js';
import { rangeRefusedResponse } from './responses/push.response.js';
import { send } from './responses/send.js';

/** Turns every error, the framework's included, into the specification's error document. */
@Catch()
export class OciExceptionFilter implements ExceptionFilter {
  private readonly logger = new Logger('Request');

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    // `send` has already reset the connection.
    if (reply.raw.headersSent) {
      this.logger.warn(`a response was cut off: ${messageOf(error)}`);
      return;
    }
    const response = responseTo(error, reply.request);
    if (response.code === 'UNKNOWN')
      this.logger.error(messageOf(error), error instanceof Error ? error.stack : undefined);
    // For the request's log line.
    Object.assign(reply.request, { refusal: `${response.code}: ${response.message}` });
    await send(reply, refusalOf(response, reply.request));
  }
}

function responseTo(error: unknown, { method, originalUrl, server }: FastifyRequest): OciError {
  const response = toOciError(error, method);
  const isPush = response.code === 'UNSUPPORTED' && response !== error && isDistributionPath(originalUrl);
  return isPush ? pushRefusal(originalUrl, server.getDecorator<NamespaceRules>('namespaceRules')) : response;
}

function refusalOf(error: OciError, request: FastifyRequest): HttpResponse {
  if (error instanceof RangeRefused) return rangeRefusedResponse(RepositoryUrl.of(request), error);
  const response = errorResponse(error);
  if (error.code !== 'UNSUPPORTED') return response;
  const { hosted } = request.server.getDecorator<NamespaceRules>('namespaceRules');
  const allow = allowedMethods(request.raw.url ?? '', request.method, hosted);
  return { ...response, headers: { ...response.headers, allow } };
}

/** @param method of the request: an unknown path is 404 to GET and HEAD, and UNSUPPORTED to every other method. */
export function toOciError(error: unknown, method: string): OciError {
  if (error instanceof OciError) return error;
  const status = statusOf(error);
  if (status === undefined) return new OciError('UNKNOWN');
  if (status === 404 && method !== 'GET' && method !== 'HEAD') return new OciError('UNSUPPORTED');
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
