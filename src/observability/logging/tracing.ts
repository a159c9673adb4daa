import type { Attributes } from '@opentelemetry/api';
import type { FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { TraceContext } from '../../oci/trace-context.js';
import { isComplete } from './complete.response.js';

/** The span of a request. */
export interface RequestSpan {
  /** Context of upstream requests made for this request. */
  readonly context: TraceContext;
}

/** Spans of requests, exported in the background. */
export interface Tracing {
  /** Starts a span that ends with the response. @param parent of the client, if it sent one. */
  begin(request: FastifyRequest, response: ServerResponse, parent: TraceContext | undefined): RequestSpan;
  /** Exports the remaining spans, for up to five seconds. Never throws. */
  close(): Promise<void>;
}

const packages = ['api', 'resources', 'sdk-trace-node', 'exporter-trace-otlp-http'].map((n) => `@opentelemetry/${n}`);

/**
 * Loads OpenTelemetry's packages, which users of tracing install beside the program.
 * @returns undefined, after a warning that says what to install, if they are missing.
 */
export async function openTracing(warn: (message: string) => void): Promise<Tracing | undefined> {
  try {
    const [api, resources, sdk, otlp] = await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
    ]);
    const named = resources.resourceFromAttributes({ 'service.name': 'oci-registry' });
    const provider = new sdk.NodeTracerProvider({
      resource: named.merge(resources.detectResources({ detectors: [resources.envDetector] })),
      spanProcessors: [new sdk.BatchSpanProcessor(new otlp.OTLPTraceExporter())],
    });
    const tracer = provider.getTracer('oci-registry');
    return {
      begin(request, response, parent) {
        const { method } = request;
        const span = tracer.startSpan(
          `${method} ${routeOf(request)}`,
          { kind: api.SpanKind.SERVER, attributes: attributesOf(request) },
          parent === undefined
            ? api.ROOT_CONTEXT
            : api.trace.setSpanContext(api.ROOT_CONTEXT, { ...partsOf(parent), isRemote: true }),
        );
        const { socket } = request.raw;
        response.once('close', () => {
          const { statusCode } = response;
          const cache = response.getHeader('x-cache');
          span.setAttributes({
            'http.response.status_code': statusCode,
            ...(typeof cache === 'string' && { 'oci.cache': cache }),
          });
          if (statusCode >= 500 || !isComplete(response, socket)) span.setStatus({ code: api.SpanStatusCode.ERROR });
          span.end();
        });
        const { traceId, spanId, traceFlags } = span.spanContext();
        const flags = traceFlags.toString(16).padStart(2, '0');
        return { context: { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: parent?.tracestate } };
      },
      close: async () => {
        const late = new Promise<void>((resolve) => setTimeout(resolve, 5_000).unref());
        await Promise.race([provider.shutdown(), late]).catch((error: unknown) => {
          warn(`the last traces were not exported: ${error instanceof Error ? error.message : 'unknown error'}`);
        });
      },
    };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    warn(`tracing is off: install ${packages.join(', ')} beside the program`);
    return undefined;
  }
}

function partsOf({ traceparent }: TraceContext): { traceId: string; spanId: string; traceFlags: number } {
  const [, traceId = '', spanId = '', flags = '0'] = traceparent.split('-');
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}

/** The route: nothing that a client sends becomes the name of a span. */
function routeOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? 'unknown';
}

/** Without the query, which may hold secrets. */
function attributesOf(request: FastifyRequest): Attributes {
  const { repository = '' } = (request.params ?? {}) as Partial<Record<string, string>>;
  const slash = repository.indexOf('/');
  return {
    'http.request.method': request.method,
    'http.route': routeOf(request),
    'oci.request_id': request.id,
    ...(slash > 0 && {
      'oci.namespace': repository.slice(0, slash).slice(0, 255),
      'oci.repository': repository.slice(slash + 1).slice(0, 255),
    }),
  };
}
