import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Traffic } from './traffic.js';

/** What is in front of a registry may respond for it, and change the headers of its responses. */
export interface Disguise {
  /** @returns whether it has responded */
  readonly respond?: (request: IncomingMessage, response: http.ServerResponse) => boolean;
  readonly alter?: (request: IncomingMessage, headers: IncomingHttpHeaders) => IncomingHttpHeaders;
}

/** Passes every request on to a registry on 127.0.0.1, unchanged but for a disguise, and records it. */
export function countingProxy(
  registryPort: number,
  traffic: Traffic,
  disguise: () => Disguise = () => ({}),
): http.RequestListener {
  return (request, response) => {
    const { respond, alter } = disguise();
    // What needs a token has to be asked for it.
    if (request.headers.authorization !== undefined && respond?.(request, response) === true) return;
    const record = traffic.record(request.method ?? '', request.url ?? '');
    const { method, url: path, headers } = request;
    const onward = http.request({ host: '127.0.0.1', port: registryPort, method, path, headers, agent: false });
    onward.once('response', (answer) => {
      record.status = answer.statusCode ?? 0;
      const digest = answer.headers['docker-content-digest'];
      if (typeof digest === 'string') record.digest = digest;
      response.writeHead(record.status, alter?.(request, answer.headers) ?? answer.headers);
      pipeline(answer, response).catch(() => onward.destroy());
    });
    onward.once('error', () => response.destroy());
    response.once('close', () => onward.destroy());
    pipeline(request, onward).catch(() => response.destroy());
  };
}
