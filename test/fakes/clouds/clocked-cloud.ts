import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Clock } from '../../../src/config/clock/clock.js';
import { Listener } from '../listener.js';

/** A request that a cloud received. */
export interface ReceivedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface CloudReply {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** An object is sent as JSON. */
  readonly body: object | string;
}

export type Lie = (request: ReceivedRequest, response: ServerResponse) => void;

/** A server with the endpoints of a cloud on a loopback address, which checks every request and can be made to lie. */
export abstract class ClockedCloud implements AsyncDisposable {
  readonly requests: ReceivedRequest[] = [];
  /** What is sent in place of a reply: to all requests, or to those whose path has the text. */
  lie: { readonly at: string; readonly send: Lie } | undefined;
  /** Seconds by which this cloud's clock is ahead. */
  skew = 0;
  readonly #listener = new Listener(() =>
    http.createServer((request, response) => void this.#handle(request, response)),
  );

  constructor(protected readonly clock: Clock) {}

  get host(): string {
    return this.#listener.host;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** Of this cloud, in milliseconds since 1970. */
  get now(): number {
    return this.clock.now() + this.skew * 1000;
  }

  async start(): Promise<this> {
    await this.#listener.start();
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.stop();
  }

  protected abstract reply(request: ReceivedRequest): CloudReply | Promise<CloudReply>;

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = '', url = '', headers } = incoming;
    const request = { method, url: new URL(url, this.url), headers, body: Buffer.concat(chunks).toString() };
    this.requests.push(request);
    response.sendDate = false;
    response.setHeader('date', new Date(this.now).toUTCString());
    if (this.lie && request.url.pathname.includes(this.lie.at)) {
      this.lie.send(request, response);
      return;
    }
    const { status = 200, headers: sent = {}, body } = await this.reply(request);
    const isText = typeof body === 'string';
    response.writeHead(status, { 'content-type': isText ? 'text/plain' : 'application/json', ...sent });
    response.end(isText ? body : JSON.stringify(body));
  }
}

/** A secret that must appear in no message. */
export const planted = 'planted-cloud-secret';
