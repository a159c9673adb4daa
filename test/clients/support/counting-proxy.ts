import http from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Traffic } from './traffic.js';

/** Passes every request on to a registry on 127.0.0.1, unchanged, and records it. */
export function countingProxy(registryPort: number, traffic: Traffic): http.RequestListener {
  return (request, response) => {
    const record = traffic.record(request.method ?? '', request.url ?? '');
    const { method, url: path, headers } = request;
    const onward = http.request({ host: '127.0.0.1', port: registryPort, method, path, headers, agent: false });
    onward.once('response', (answer) => {
      record.status = answer.statusCode ?? 0;
      const digest = answer.headers['docker-content-digest'];
      if (typeof digest === 'string') record.digest = digest;
      response.writeHead(record.status, answer.headers);
      pipeline(answer, response).catch(() => onward.destroy());
    });
    onward.once('error', () => response.destroy());
    response.once('close', () => onward.destroy());
    pipeline(request, onward).catch(() => response.destroy());
  };
}
