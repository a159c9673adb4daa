import { AsyncLocalStorage } from 'node:async_hooks';
import type { TraceContext } from '../oci/trace-context.js';

/** What requests to upstreams tell of the client's request that they are made for. */
export interface RequestContext extends TraceContext {
  readonly requestId: string;
}

/**
 * Made with the first request that belongs to a trace: following all promises of a process costs each of them a little,
 * which those whose clients do not trace need not pay.
 */
let contexts: AsyncLocalStorage<RequestContext> | undefined;

/** Everything that `action` causes, now and later, belongs to the context. */
export function runInContext(context: RequestContext, action: () => void): void {
  contexts ??= new AsyncLocalStorage();
  contexts.run(context, action);
}

/** Headers that carry the context on; none when the client sent none. */
export function contextHeaders(): Readonly<Record<string, string>> {
  const context = contexts?.getStore();
  if (!context) return none;
  const { traceparent, tracestate, requestId } = context;
  return { traceparent, ...(tracestate !== undefined && { tracestate }), 'x-request-id': requestId };
}

const none = {};
