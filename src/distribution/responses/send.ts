import type { FastifyReply } from 'fastify';
import type { NamespaceTraffic, TrafficCounts } from '../../registry/statistics/traffic.counts.js';
import type { HttpResponse, BodySink } from './http.response.js';
import type { CachedResponses } from './cached.responses.js';
import { ResponseSink } from './response.sink.js';

/**
 * Sends a response: a streamed body chunk by chunk, without a Readable, so that its buffer is reused. When the body
 * cannot be finished the connection is reset, so that no client takes a part for the whole.
 */
export async function send(reply: FastifyReply, response: HttpResponse): Promise<void> {
  if (response.validity) reply.server.getDecorator<CachedResponses>('cachedResponses').set(reply.request, response);
  reply.hijack();
  const { raw } = reply;
  try {
    // Set before they are written, so that the request log can read them.
    for (const [name, value] of Object.entries(response.headers)) raw.setHeader(name, value);
    raw.writeHead(response.status);
    await sendBody(reply, response);
  } finally {
    await response.close?.();
  }
}

async function sendBody(reply: FastifyReply, { status, headers, body }: HttpResponse): Promise<void> {
  const response = reply.raw;
  const namespace = headers['oci-namespace'];
  if (reply.request.method === 'HEAD' || body === undefined || status === 304) {
    response.end();
    return;
  }
  // Only content has a namespace; errors are not traffic that a cache could save.
  const traffic = namespace === undefined ? undefined : trafficOf(reply).of(String(namespace));
  if (typeof body === 'string' || body instanceof Uint8Array) {
    if (traffic) traffic.sent += Buffer.byteLength(body);
    response.end(body);
    return;
  }
  // Clients wait for the header with a deadline, which a slow upstream's first byte could exceed.
  response.flushHeaders();
  const sink = new ResponseSink(response, reply.server.getDecorator('clientTimeout'));
  try {
    await body.copy(counting(sink, traffic), sink.signal);
    response.end();
  } catch (error) {
    response.socket?.resetAndDestroy();
    response.destroy();
    // A client that left is no error.
    if (!sink.signal.aborted) throw error;
  } finally {
    sink.close();
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
