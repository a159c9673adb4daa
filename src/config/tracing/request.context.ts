import { AsyncLocalStorage } from 'node:async_hooks';
import type { TraceContext } from '../../oci/trace-context.js';

/** Identifies the client request that an upstream request is made for. */
export interface RequestContext extends TraceContext {
  readonly requestId: string;
}

/**
 * Created with the first traced request: tracking every promise has a cost, which deployments without tracing avoid.
 */
let contexts: AsyncLocalStorage<RequestContext> | undefined;

/** Runs `action`, and everything asynchronous that it starts, in the context. */
export function runInContext(context: RequestContext, action: () => void): void {
  contexts ??= new AsyncLocalStorage();
  contexts.run(context, action);
}

/** Headers that propagate the context; empty when the client sent none. */
export function contextHeaders(): Readonly<Record<string, string>> {
  const context = contexts?.getStore();
  if (!context) return none;
  const { traceparent, tracestate, requestId } = context;
  return { traceparent, ...(tracestate !== undefined && { tracestate }), 'x-request-id': requestId };
}

const none = {};
