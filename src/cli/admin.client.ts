import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import type { ClientSettings } from '../config/client.settings.js';
import { StartError } from './start-error.js';

/** Milliseconds of silence after which the mirror counts as lost; it tells of progress much more often. */
const silence = 60_000;
/** Bytes of an answer that is read whole. */
const maxResponseBytes = 16 * 1024 * 1024;

/** What the mirror answered instead of doing what it was asked for. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The admin API of a running mirror. */
export class AdminClient {
  constructor(private readonly settings: ClientSettings) {}

  /** @throws RefusedError; StartError when there is no such mirror. */
  async ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string): Promise<T> {
    return parse(await this.readAll(await this.open(method, path)), this.settings.server) as T;
  }

  /** The lines of an answer, as they come. @throws RefusedError; StartError, also when the answer breaks off. */
  async *lines(path: string, body: object): AsyncGenerator<string> {
    const response = await this.open('POST', path, JSON.stringify(body));
    try {
      for await (const line of createInterface({ input: response })) if (line !== '') yield line;
      // readline ends without a word where its input breaks off.
      if (!response.complete) throw this.lost('the connection was lost');
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
    if (code === 'NOT_FOUND' || code === 'UNSUPPORTED') {
      throw this.lost('it has no admin API there, or takes another token');
    }
    if (code === 'UNKNOWN' || code === 'DENIED') throw this.lost(message);
    throw new RefusedError(status, code, message);
  }

  private send(method: string, path: string, body?: string): Promise<IncomingMessage> {
    const { server, token } = this.settings;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token) headers.authorization = `Bearer ${token.reveal()}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const options: RequestOptions = { method, headers, agent: false, timeout: silence };
    return new Promise((resolve, reject) => {
      const sent = server.startsWith('unix:')
        ? http.request({ ...options, socketPath: server.slice('unix:'.length), path })
        : (server.startsWith('https:') ? https : http).request(urlOf(server, path), options);
      sent.once('response', resolve);
      sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.on('error', (error: NodeJS.ErrnoException) => reject(this.lost(error.code ?? error.message)));
      sent.end(body);
    });
  }

  private async readAll(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > maxResponseBytes) throw new Error('the answer is too long');
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.lost(error instanceof Error ? error.message : 'the connection was lost');
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  private lost(reason: string): StartError {
    return new StartError(`cannot use the mirror at ${this.settings.server}: ${reason}`);
  }
}

/** A mirror may be served below a path of somebody's proxy. */
function urlOf(server: string, path: string): URL {
  return new URL(`${server.replace(/\/+$/, '')}${path}`);
}

/** @throws StartError when the answer is not JSON: something else answers at the address. */
export function parse(text: string, server: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StartError(`cannot use the mirror at ${server}: something else answers there`);
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
