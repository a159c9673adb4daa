import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { identify } from '../../access/identified.request.js';
import {
  noteServed,
  writeCached,
  type CachedResponse,
  type CachedResponses,
  type ValidResponse,
} from '../responses/cached.responses.js';
import { watchRest } from '../responses/response.sink.js';
import type { DrainService } from '../server/drain.service.js';
import { readPlainHeaders } from './plain.headers.js';
import type { Grant, RecalledAccess } from './recalled.access.js';

/** A response that has closed. */
export interface SentResponse {
  readonly id: string;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** When its request began, on the monotonic clock. */
  readonly start: number;
  /** Bytes that were sent. */
  readonly bytes: number;
}

/** Counts and logs responses that are sent without the framework. */
export interface ResponseObserver {
  idOf(request: IncomingMessage): string;
  begin(): void;
  end(cached: CachedResponse, sent: SentResponse): void;
}

/** What a response passes on its way, as through the hooks of the framework. */
export interface HotPath {
  readonly responses: CachedResponses;
  /** Undefined without an access file. */
  readonly access: RecalledAccess | undefined;
  readonly observer: ResponseObserver;
  readonly drain: DrainService;
  /** Whether a request came to the admin address, which has no responses of this kind. */
  readonly isForAdmins: (request: IncomingMessage) => boolean;
  readonly clientTimeout: number;
}

/**
 * Sends cached responses from the server's own listener, before the framework makes anything of a request. What is not
 * plain, not remembered, not allowed, or not valid any more goes through the framework.
 */
export class HotResponses {
  private isOpen = false;

  constructor(private readonly path: HotPath) {}

  /** Begins when the server is ready, and ends as it closes: the framework then tells clients to go elsewhere. */
  follow(fastify: FastifyInstance): void {
    fastify.addHook('onReady', (done) => {
      this.isOpen = true;
      done();
    });
    fastify.addHook('preClose', (done) => {
      this.isOpen = false;
      done();
    });
  }

  /** @returns whether it has responded */
  respond(request: IncomingMessage, response: ServerResponse): boolean {
    const { responses, access, drain, isForAdmins } = this.path;
    const { url: originalUrl = '', method } = request;
    if (!this.isOpen || drain.isAnnounced || (method !== 'GET' && method !== 'HEAD')) return false;
    const start = performance.now();
    const headers = readPlainHeaders(request.rawHeaders);
    const cached = headers && responses.find(method, originalUrl, headers.host);
    if (!headers || !cached || isForAdmins(request)) return false;
    // What an event starts belongs to the trace.
    if (headers.isTraced && cached.served) return false;
    const grant = access?.decide(request, headers.authorization, cached);
    if (access && !grant) return false;
    // Last, because it counts.
    const valid = responses.validate(cached, headers.ifNoneMatch);
    if (!valid) return false;
    this.send({ request, response, valid, grant, start, originalUrl });
    return true;
  }

  private send({ request, response, valid, grant, start, originalUrl }: Exchange): void {
    const { access, observer, drain, clientTimeout } = this.path;
    const { cached } = valid;
    const { socket } = request;
    const bytesBefore = socket.bytesWritten;
    const id = observer.idOf(request);
    observer.begin();
    drain.begin(response);
    response.on('close', () => {
      drain.end(response);
      observer.end(cached, { id, response, socket, start, bytes: socket.bytesWritten - bytesBefore });
    });
    if (grant?.allotment) response.setHeader('x-request-id', id);
    const signedIn = grant && access?.apply(grant, cached, id, response);
    if (cached.served) {
      // As the framework leaves it.
      request.url = cached.target;
      const served = { id, method: cached.method, headers: request.headers, originalUrl, raw: request };
      if (signedIn) identify(served, signedIn);
      noteServed(valid, served);
    } else noteServed(valid);
    writeCached(valid, response, grant?.allotment ? [] : ['x-request-id', id]);
    if (!response.writableFinished) watchRest(response, clientTimeout);
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly valid: ValidResponse;
  readonly grant: Grant | undefined;
  readonly start: number;
  readonly originalUrl: string;
}
