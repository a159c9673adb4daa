import type { FastifyInstance } from 'fastify';
import { runInContext } from '../../config/tracing/request.context.js';
import { parseTraceContext } from '../../oci/trace-context.js';
import type { Tracing } from './tracing.js';

/**
 * Passes the trace context of a client's request, or of its span here, on to upstream requests.
 * @param tracing creates spans, if tracing is configured.
 */
export function followTraces(fastify: FastifyInstance, tracing?: Tracing): void {
  if (tracing) fastify.addHook('onClose', () => tracing.close());
  fastify.addHook('onRequest', (request, reply, done) => {
    const { traceparent, tracestate } = request.headers;
    const parent = typeof traceparent === 'string' ? parseTraceContext(traceparent, single(tracestate)) : undefined;
    const context = tracing ? tracing.begin(request, reply.raw, parent).context : parent;
    if (context) runInContext({ ...context, requestId: request.id }, done);
    else done();
  });
}

/** Node joins headers that come more than once, as Trace Context wants it (§3.3). */
function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.join(',');
}
