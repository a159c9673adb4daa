import type { FastifyReply } from 'fastify';
import type { NamespaceTraffic, TrafficCounts } from '../../registry/statistics/traffic.counts.js';
import type { HttpResponse, BodySink } from './http.response.js';
import type { PreparedResponses } from './prepared.responses.js';
import { ResponseSink } from './response.sink.js';

/**
 * Writes an answer straight to the response: a body chunk by chunk with its buffer reused, not through a Readable
 * (DESIGN §5). When the body cannot be finished the connection is reset, so that no client takes a part for the whole.
 */
export async function send(reply: FastifyReply, answer: HttpResponse): Promise<void> {
  if (answer.validity) reply.server.getDecorator<PreparedResponses>('prepared').keep(reply.request, answer);
  reply.hijack();
  const response = reply.raw;
  try {
    // Set, not only written, so that the request log can read them.
    for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
    response.writeHead(answer.status);
    await sendBody(reply, answer);
  } finally {
    await answer.close?.();
  }
}

async function sendBody(reply: FastifyReply, { status, headers, body }: HttpResponse): Promise<void> {
  const response = reply.raw;
  const namespace = headers['oci-namespace'];
  if (reply.request.method === 'HEAD' || body === undefined || status === 304) {
    response.end();
    return;
  }
  // Content has a namespace; refusals and the like are no traffic that a cache could save.
  const traffic = namespace === undefined ? undefined : trafficOf(reply).of(String(namespace));
  if (typeof body === 'string' || body instanceof Uint8Array) {
    if (traffic) traffic.sent += Buffer.byteLength(body);
    response.end(body);
    return;
  }
  // The head leaves before the first byte of a slow upstream: clients wait for it with a deadline.
  response.flushHeaders();
  const sink = new ResponseSink(response, reply.server.getDecorator('clientTimeout'));
  try {
    await body.copy(counting(sink, traffic), sink.signal);
    response.end();
  } catch (error) {
    response.socket?.resetAndDestroy();
    response.destroy();
    // A client that left is not an error of anybody.
    if (!sink.signal.aborted) throw error;
  } finally {
    sink.close();
  }
}

/** Counts each chunk when it is given to the connection, so that a long transfer is seen while it runs. */
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
