import type { FastifyReply } from 'fastify';
import type { BodyMemory, Hold } from '../../config/memory/body.memory.js';
import { bodyOf } from '../requests/incoming.bodies.js';
import { OciError } from '../../oci/error.js';
import type { NamespaceTraffic, TrafficCounts } from '../../registry/statistics/traffic.counts.js';
import type { SendQueues } from '../server/send.queues.js';
import type { UntakenResponses } from '../server/untaken.responses.js';
import type { HttpResponse, BodySink } from './http.response.js';
import type { CachedResponses } from './cached.responses.js';
import { ResponseSink } from './response.sink.js';

/** Bytes of a body that is given to the connection at once. */
export const smallBody = 64 * 1024;

/**
 * Sends a response: a streamed body chunk by chunk, without a Readable, so that its buffer is reused. When the body
 * cannot be finished the connection is reset, so that no client takes a part for the whole.
 */
export async function send(reply: FastifyReply, response: HttpResponse): Promise<void> {
  const cacheable = response.whole ?? response;
  if (cacheable.validity) reply.server.getDecorator<CachedResponses>('cachedResponses').set(reply.request, cacheable);
  const { raw } = reply;
  let hold: Hold | undefined;
  try {
    hold = await holdLarge(reply, response);
    reply.hijack();
    response.served?.(reply.request);
    // Set before they are written, so that the request log can read them.
    for (const [name, value] of Object.entries(response.headers)) raw.setHeader(name, value);
    // A client that still sends is told not to use the connection again; see `end`.
    if (bodyOf(reply.request)?.endsConnection === true) raw.shouldKeepAlive = false;
    raw.writeHead(response.status);
    await sendBody(reply, response, hold);
  } finally {
    hold?.release();
    await response.close?.();
  }
}

/** Room in memory for a large body until the client has it. @throws OciError UNAVAILABLE when there was none in time */
async function holdLarge(
  { request, raw, server }: FastifyReply,
  { status, body }: HttpResponse,
): Promise<Hold | undefined> {
  const isSent = request.method !== 'HEAD' && status !== 304;
  if (!isSent || !(body instanceof Uint8Array) || body.length <= smallBody) return undefined;
  const memory = server.getDecorator<BodyMemory>('bodyMemory');
  const hold = await memory.hold('clients', body, () => raw.req.socket.destroy());
  if (!hold) throw new OciError('UNAVAILABLE', 'too many responses are being sent', { retryAfter: 5 });
  return hold;
}

async function sendBody(
  reply: FastifyReply,
  { status, headers, body }: HttpResponse,
  hold: Hold | undefined,
): Promise<void> {
  const response = reply.raw;
  const namespace = headers['oci-namespace'];
  if (reply.request.method === 'HEAD' || body === undefined || status === 304) {
    await end(reply);
    return;
  }
  // Only content has a namespace; errors are not traffic that a cache could save.
  const traffic = namespace === undefined ? undefined : trafficOf(reply).of(String(namespace));
  if (typeof body === 'string' || (body instanceof Uint8Array && body.length <= smallBody)) {
    if (traffic) traffic.sent += Buffer.byteLength(body);
    await end(reply, body);
    return;
  }
  // Clients wait for the header with a deadline, which a slow upstream's first byte could exceed.
  response.flushHeaders();
  const queues = reply.server.getDecorator<SendQueues>('sendQueues');
  const { socket } = reply.request;
  const queue = queues.enter(socket);
  const sink = new ResponseSink(response, reply.server.getDecorator('clientTimeout'), queue);
  try {
    const write = counting(sink, traffic);
    if (body instanceof Uint8Array) await writeInSlices(body, write, hold);
    else await body.copy(write, sink.signal);
    await end(reply);
    reply.server.getDecorator<UntakenResponses>('untakenResponses').sent(socket);
  } catch (error) {
    response.socket?.resetAndDestroy();
    response.destroy();
    // A client that left is no error.
    if (!sink.signal.aborted) throw error;
  } finally {
    sink.close();
    queues.leave(queue);
  }
}

/**
 * Ends a response. When its client still sends a body that nobody wants, a bounded part of that is read first: an end
 * of the connection would reset it, and the client might not see the response.
 */
async function end({ raw, request }: FastifyReply, rest?: string | Uint8Array): Promise<void> {
  const body = bodyOf(request);
  if (body?.isPending() === true) {
    if (rest === undefined) raw.flushHeaders();
    else raw.write(rest);
    await body.drain();
    raw.end();
    if (body.isPending()) request.socket.destroySoon();
  } else raw.end(rest);
}

async function writeInSlices(body: Uint8Array, write: BodySink, hold: Hold | undefined): Promise<void> {
  for (let offset = 0; offset < body.length; offset += smallBody) {
    const slice = body.subarray(offset, offset + smallBody);
    await write(slice);
    hold?.progress(slice.length);
  }
}

/** Counts each chunk as it is sent, so that metrics show a long transfer while it runs. */
function counting(sink: ResponseSink, traffic: NamespaceTraffic | undefined): BodySink {
  if (!traffic) return (chunk) => sink.write(chunk);
  return (chunk) => {
    traffic.sent += chunk.length;
    return sink.write(chunk);
  };
}

function trafficOf({ server }: FastifyReply): TrafficCounts {
  return server.getDecorator('traffic');
}
