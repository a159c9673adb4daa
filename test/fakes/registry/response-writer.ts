import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { pace } from '../pace.js';
import type { HttpResponse } from './response.js';
import type { Behaviour } from './behaviour.js';
import type { RecordedRequest } from './request-log.js';

/** Sends an answer at the behaviour's pace. Ends quietly when the client leaves. */
export async function writeResponse(
  behaviour: Behaviour,
  request: RecordedRequest,
  response: ServerResponse,
  answer: HttpResponse,
  signal: AbortSignal,
): Promise<void> {
  const { body, headers } = compress(behaviour, request, answer);
  const content =
    ['manifest', 'blob', 'cdn'].includes(request.kind) && (answer.status === 200 || answer.status === 206);
  const length =
    answer.status === 304 || (content && behaviour.omitContentLength) ? {} : { 'content-length': body.length };
  request.status = answer.status;
  response.writeHead(answer.status, { ...headers, ...length });
  if (request.method === 'HEAD' || body.length === 0) {
    response.end();
    return;
  }
  const slow = behaviour.slowKinds?.includes(request.kind) ?? true;
  response.flushHeaders();
  if (slow && behaviour.delayBody > 0) await sleep(behaviour.delayBody, undefined, { signal });
  const slices = pace(body, slow ? behaviour.bytesPerSecond : undefined, signal);
  await pipeline(Readable.from(counted(slices, request), { objectMode: true, highWaterMark: 1 }), response);
}

async function* counted(slices: AsyncIterable<Buffer>, request: RecordedRequest): AsyncGenerator<Buffer> {
  for await (const slice of slices) {
    request.bodyBytes += slice.length;
    yield slice;
  }
}

function compress(
  { gzipWhenAccepted }: Behaviour,
  request: RecordedRequest,
  { headers, body }: HttpResponse,
): Omit<HttpResponse, 'status'> {
  const accepted = /\bgzip\b|\*/.test(request.headers['accept-encoding'] ?? '');
  if (!gzipWhenAccepted || !accepted || body.length === 0) return { headers, body };
  return { headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(body) };
}
