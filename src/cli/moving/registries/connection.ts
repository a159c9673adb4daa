import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { collect } from '../verified.js';
import { MoveError, RefusedMove } from '../move-error.js';
import { StartError } from '../../start-error.js';

/** Milliseconds without a byte in either direction. */
const idleTimeout = 60_000;
/** Milliseconds that the server may take to make content durable. */
export const commitTimeout = 600_000;
const maxAttempts = 6;
/** Longest wait between attempts, in milliseconds. */
const maxWait = 30_000;
const maxErrorBytes = 64 * 1024;

export interface Message {
  readonly headers?: OutgoingHttpHeaders;
  /** A stream is sent once only, whatever happens. */
  readonly body?: Buffer | AsyncIterable<Uint8Array>;
  /** Idle timeout in milliseconds. */
  readonly timeout?: number;
  /** Statuses of 400 and more that are answers. */
  readonly expected?: readonly number[];
}

/** Error codes of connections that ended after they had been made. */
const lostCodes: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'];

/** The connection failed, so trying again may help. */
export class ConnectionError extends MoveError {
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

/** Requests to the registry API of the server. */
export class Connection {
  private readonly agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };

  constructor(
    private readonly server: string,
    private readonly authorization: string | undefined,
    readonly signal: AbortSignal,
  ) {}

  /** @throws StartError unless a registry listens there and knows the credentials */
  async check(): Promise<void> {
    try {
      const status = await this.firstStatus();
      if (status === 401 && this.authorization !== undefined)
        throw this.failure('it refuses the user name or password');
      if (isUnavailable(status)) throw this.failure(`status ${status}`);
      if (status !== 200 && status !== 401) throw this.failure(`status ${status}: this is not a registry`);
    } catch (error) {
      this.signal.throwIfAborted();
      throw error instanceof StartError
        ? error
        : this.failure(error instanceof Error ? error.message : 'unknown error');
    }
  }

  /** The status of the first request. A server that was never reached is not tried again: its address may be wrong. */
  private async firstStatus(): Promise<number> {
    let wasReached = false;
    for (let attempt = 1; ; attempt += 1) {
      const isLast = attempt === maxAttempts;
      try {
        const response = await this.send('GET', '/v2/', {});
        response.resume();
        const { statusCode: status = 0, headers } = response;
        if (isLast || !isUnavailable(status)) return status;
        wasReached = true;
        await this.pause(attempt, Number(headers['retry-after']) * 1_000);
      } catch (error) {
        this.signal.throwIfAborted();
        if (!(error instanceof ConnectionError)) throw error;
        wasReached ||= lostCodes.includes(error.code);
        if (isLast || !wasReached) throw error;
        await this.pause(attempt);
      }
    }
  }

  /** A connection that outlives the signal, for as many milliseconds. */
  detached(timeout: number): Connection {
    return new Connection(this.server, this.authorization, AbortSignal.timeout(timeout));
  }

  close(): void {
    this.agents.http.destroy();
    this.agents.https.destroy();
  }

  /**
   * Sends a request, and again while the server is unavailable. The caller reads the response.
   * @param path a path, or a URL elsewhere, which gets no credentials.
   * @throws RefusedMove for a status of 400 or more that is not expected; ConnectionError
   */
  async request(method: string, path: string, message: Message = {}): Promise<IncomingMessage> {
    const isOnce = message.body !== undefined && !Buffer.isBuffer(message.body);
    for (let attempt = 1; ; attempt += 1) {
      const isLast = isOnce || attempt === maxAttempts;
      try {
        const response = await this.send(method, path, message);
        const { statusCode: status = 0, headers } = response;
        if (status < 400 || message.expected?.includes(status) === true) return response;
        const refused = await refusalOf(method, path, response);
        if (isLast || !isUnavailable(status)) throw refused;
        await this.pause(attempt, Number(headers['retry-after']) * 1_000);
      } catch (error) {
        this.signal.throwIfAborted();
        if (isLast || !(error instanceof ConnectionError)) throw error;
        await this.pause(attempt);
      }
    }
  }

  /** Sends a request whose response has no content of interest. @returns the response */
  async call(method: string, path: string, message: Message = {}): Promise<IncomingMessage> {
    const response = await this.request(method, path, message);
    response.resume();
    return response;
  }

  /** Waits before another attempt, longer each time. */
  pause(attempt: number, wanted = 0): Promise<void> {
    const wait = Math.max(250 * 2 ** attempt, Number.isFinite(wanted) ? wanted : 0);
    return sleep(Math.min(wait, maxWait), undefined, { signal: this.signal });
  }

  private send(method: string, path: string, message: Message): Promise<IncomingMessage> {
    this.signal.throwIfAborted();
    const { body, timeout = idleTimeout } = message;
    const isElsewhere = /^https?:/.test(path);
    const headers: OutgoingHttpHeaders = { ...message.headers };
    if (this.authorization !== undefined && !isElsewhere) headers.authorization = this.authorization;
    if (Buffer.isBuffer(body)) headers['content-length'] = body.length;
    else if (body === undefined && method !== 'GET' && method !== 'HEAD') headers['content-length'] = 0;
    return new Promise((resolve, reject) => {
      const options = { method, headers, timeout, signal: this.signal };
      const sent = this.open(path, isElsewhere, options);
      // What the source of a body fails with says more than what the connection makes of it.
      let failure: unknown;
      const fail = (error: unknown) =>
        reject(failure instanceof MoveError ? failure : (connectionError(error, method) as Error));
      sent.once('response', (response: IncomingMessage) => {
        // A refusal comes before the body has been sent, and nobody reads the rest of it.
        response.once('close', () => {
          if (!sent.writableFinished) sent.destroy();
        });
        resolve(response);
      });
      sent.once('timeout', () => sent.destroy(new Error('the server does not respond')));
      sent.once('error', fail);
      if (body === undefined || Buffer.isBuffer(body)) sent.end(body);
      else {
        const chunks = guarded(body, (error) => (failure = error));
        pipeline(Readable.from(chunks, { objectMode: false }), sent).catch(fail);
      }
    });
  }

  private open(path: string, isElsewhere: boolean, options: http.RequestOptions): http.ClientRequest {
    const { server, agents } = this;
    if (!isElsewhere && server.startsWith('unix:'))
      return http.request({ ...options, agent: agents.http, socketPath: server.slice('unix:'.length), path });
    const url = new URL(isElsewhere ? path : `${server.replace(/\/+$/, '')}${path}`);
    return url.protocol === 'https:'
      ? https.request(url, { ...options, agent: agents.https })
      : http.request(url, { ...options, agent: agents.http });
  }

  private failure(reason: string): StartError {
    return new StartError(`cannot use the server at ${this.server}: ${reason}`);
  }
}

function isUnavailable(status: number): boolean {
  return status === 429 || (status > 501 && status < 505);
}

function connectionError(error: unknown, method: string): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new ConnectionError(`the connection failed (${method}): ${code ?? message}`, code);
}

async function* guarded(chunks: AsyncIterable<Uint8Array>, fail: (error: unknown) => void): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    fail(error);
    throw error;
  }
}

/** The reason that an error document of the distribution specification has. */
async function refusalOf(method: string, path: string, response: IncomingMessage): Promise<RefusedMove> {
  const { statusCode: status = 0 } = response;
  const body = method === 'HEAD' ? Buffer.alloc(0) : await readAll(response, maxErrorBytes);
  try {
    const { errors } = JSON.parse(body.toString('utf8')) as { errors?: { code?: string; message?: string }[] };
    const { code = 'UNKNOWN', message = `status ${status}` } = errors?.[0] ?? {};
    const hint = status === 401 ? ': give --username and --password, or sign in with docker login' : '';
    return new RefusedMove(status, code, `${message}${hint}`);
  } catch {
    return new RefusedMove(status, 'UNKNOWN', `status ${status} for ${method} ${path.split('?', 1)[0] ?? ''}`);
  }
}

/** The whole body of a response. @throws ConnectionError when it is cut; MoveError when it is longer */
export async function readAll(response: IncomingMessage, limit: number): Promise<Buffer> {
  return collect(chunksOf(response), limit, 'a response');
}

/** The body of a response. @throws ConnectionError when it is cut or stalls */
export async function* chunksOf(response: IncomingMessage): AsyncGenerator<Uint8Array> {
  response.setTimeout(idleTimeout, () => response.destroy(new Error('the server does not respond')));
  try {
    yield* response as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw connectionError(error, 'GET');
  } finally {
    response.destroy();
  }
  if (!response.complete) throw new ConnectionError('the connection was lost');
}
