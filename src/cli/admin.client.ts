import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import type { ClientSettings } from '../config/client.settings.js';
import { StartError } from './start-error.js';

/** Idle timeout in milliseconds; the server reports progress much more often. */
const idleTimeout = 60_000;
/** Maximum bytes of a response that is read completely. */
const maxResponseBytes = 16 * 1024 * 1024;

/** The server refused the request. */
export class RefusedError extends StartError {
  override readonly name = 'RefusedError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Client of the admin API. */
export class AdminClient {
  constructor(private readonly settings: ClientSettings) {}

  /** @throws RefusedError; StartError when the server cannot be used */
  async request<T>(method: 'GET' | 'POST' | 'DELETE', path: string): Promise<T> {
    return parse(await this.readAll(await this.open(method, path)), this.settings.server) as T;
  }

  /** Yields the lines of a response as they arrive. @throws RefusedError; StartError, also when the response is truncated */
  async *lines(path: string, body: object): AsyncGenerator<string> {
    const response = await this.open('POST', path, JSON.stringify(body));
    try {
      for await (const line of createInterface({ input: response })) if (line !== '') yield line;
      // readline does not report truncated input.
      if (!response.complete) throw this.failure('the connection was lost');
    } finally {
      response.destroy();
    }
  }

  private async open(method: string, path: string, body?: string): Promise<IncomingMessage> {
    const response = await this.send(method, path, body);
    const { statusCode: status = 0 } = response;
    if (status < 300) return response;
    const text = await this.readAll(response);
    const [{ code = 'UNKNOWN', message = `status ${status}` } = {}] = errorsOf(text);
    // Other servers refuse these requests without a reason of their own.
    if (code === 'NOT_FOUND' || (code === 'UNSUPPORTED' && !isOwnReason(message))) {
      throw this.failure('there is no admin API at this address, or the token is wrong');
    }
    if (code === 'UNKNOWN' || code === 'DENIED') throw this.failure(message);
    throw new RefusedError(status, code, message);
  }

  private send(method: string, path: string, body?: string): Promise<IncomingMessage> {
    const { server, token } = this.settings;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token) headers.authorization = `Bearer ${token.reveal()}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const options: RequestOptions = { method, headers, agent: false, timeout: idleTimeout };
    return new Promise((resolve, reject) => {
      const sent = server.startsWith('unix:')
        ? http.request({ ...options, socketPath: server.slice('unix:'.length), path })
        : (server.startsWith('https:') ? https : http).request(urlOf(server, path), options);
      sent.once('response', resolve);
      sent.once('timeout', () => sent.destroy(new Error('the server did not respond in time')));
      sent.on('error', (error: NodeJS.ErrnoException) => reject(this.failure(error.code ?? error.message)));
      sent.end(body);
    });
  }

  private async readAll(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > maxResponseBytes) throw new Error('the response is too long');
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.failure(error instanceof Error ? error.message : 'the connection was lost');
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  private failure(reason: string): StartError {
    return new StartError(`cannot use the server at ${this.settings.server}: ${reason}`);
  }
}

/** Of what was pushed, which only clients of the registry delete. */
function isOwnReason(message: string): boolean {
  return message.includes(' is hosted: ');
}

/** The server may be behind a path of a reverse proxy. */
function urlOf(server: string, path: string): URL {
  return new URL(`${server.replace(/\/+$/, '')}${path}`);
}

/** @throws StartError when the response is not JSON, so another program is listening at the address */
export function parse(text: string, server: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StartError(`cannot use the server at ${server}: the response is not from oci-registry`);
  }
}

function errorsOf(text: string): { code?: string; message?: string }[] {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    return Array.isArray(errors) ? (errors as { code?: string; message?: string }[]) : [];
  } catch {
    return [];
  }
}
