import type { FastifyInstance } from 'fastify';
import { runInContext } from '../config/request.context.js';
import { parseTraceContext } from '../oci/trace-context.js';

/** Lets requests to upstreams belong to the trace of the client's request, when it has one. */
export function followTraces(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { traceparent, tracestate } = request.headers;
    const context = typeof traceparent === 'string' ? parseTraceContext(traceparent, single(tracestate)) : undefined;
    if (context) runInContext({ ...context, requestId: request.id }, done);
    else done();
  });
}

/** Node joins headers that come more than once, as Trace Context wants it (§3.3). */
function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.join(',');
}
