import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { codeOfStatus, OciError } from '../oci/error.js';
import { errorResponse } from './responses/error.response.js';
import { send } from './responses/send.js';

/** RequestLock whatever was thrown, the framework's errors included, into the specification's error document. */
@Catch()
export class OciExceptionFilter implements ExceptionFilter {
  private readonly logger = new Logger('Request');

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const { method } = reply.request;
    // A body that broke off has been dealt with where it was sent.
    if (reply.raw.headersSent) {
      this.logger.warn(`an answer broke off: ${messageOf(error)}`);
      return;
    }
    const response = toOciError(error, method);
    if (response.code === 'UNKNOWN')
      this.logger.error(messageOf(error), error instanceof Error ? error.stack : undefined);
    // The request's log line tells it, with the request's id.
    Object.assign(reply.request, { refusal: `${response.code}: ${response.message}` });
    await send(reply, errorResponse(response));
  }
}

/** @param method of the request: what is not there for reading does not exist, what is not reading is not supported. */
export function toOciError(error: unknown, method: string): OciError {
  if (error instanceof OciError) return error;
  const status = statusOf(error);
  if (status === undefined) return new OciError('UNKNOWN');
  // The framework looks at a body's Content-Type even where no route takes a body.
  if ([404, 415].includes(status) && method !== 'GET' && method !== 'HEAD') return new OciError('UNSUPPORTED');
  return new OciError(codeOfStatus(status), undefined, { status });
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  // Errors of the HTTP framework: a malformed URL, a header that it does not take.
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  return undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'something that is no error was thrown';
}
