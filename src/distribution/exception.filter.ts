import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { codeOfStatus, OciError } from '../oci/error.js';
import { errorResponse } from './responses/error.response.js';
import { send } from './responses/send.js';

/** Turns every error, the framework's included, into the specification's error document. */
@Catch()
export class OciExceptionFilter implements ExceptionFilter {
  private readonly logger = new Logger('Request');

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const { method } = reply.request;
    // `send` has already reset the connection.
    if (reply.raw.headersSent) {
      this.logger.warn(`a response was cut off: ${messageOf(error)}`);
      return;
    }
    const response = toOciError(error, method);
    if (response.code === 'UNKNOWN')
      this.logger.error(messageOf(error), error instanceof Error ? error.stack : undefined);
    // For the request's log line.
    Object.assign(reply.request, { refusal: `${response.code}: ${response.message}` });
    await send(reply, errorResponse(response));
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
