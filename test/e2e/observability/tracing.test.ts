import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wantsTraces } from '../../../src/config/tracing/opentelemetry.js';
import { makeImage } from '../../fixtures/images.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
}

/** A receiver of OTLP over HTTP, as collectors are. */
let collector: Server;
let spans: Span[];
let services: string[];

beforeEach(async () => {
  spans = [];
  services = [];
  collector = createServer((request, response) => {
    void buffer(request).then((body) => {
      const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
      const { resourceSpans = [] } = JSON.parse(text) as {
        resourceSpans?: { resource: Pick<Span, 'attributes'>; scopeSpans: { spans: Span[] }[] }[];
      };
      for (const { resource, scopeSpans } of resourceSpans) {
        services.push(valueOf(resource, 'service.name'));
        spans.push(...scopeSpans.flatMap((scope) => scope.spans));
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  process.env.OTEL_BSP_SCHEDULE_DELAY = '50';
});

afterEach(() => {
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  delete process.env.OTEL_BSP_SCHEDULE_DELAY;
  collector.close();
  collector.closeAllConnections();
});

const valueOf = ({ attributes }: Pick<Span, 'attributes'>, key: string) =>
  String(Object.values(attributes.find((attribute) => attribute.key === key)?.value ?? {})[0]);

describe('traces', () => {
  it("have a span for each request, below the client's, and lead on to the registry", async () => {
    await using stage = await Stage.start();
    const image = makeImage();
    stage.registry.addImage('team/app', image, ['1.0']);
    const [traceId, parent] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    await stage.get('team/app/manifests/1.0?secret=planted', { traceparent: `00-${traceId}-${parent}-01` });
    await stage.get('team/app/manifests/2.0');
    await until('the spans have come', () => spans.length >= 2);
    const [first, second] = spans;
    expect(services).toContain('oci-registry');
    expect(first).toMatchObject({ name: 'GET /v2/:repository/manifests/:reference', traceId, parentSpanId: parent });
    expect(valueOf(first!, 'oci.cache')).toBe('MISS');
    expect(valueOf(first!, 'oci.namespace')).toBe('registry.test');
    expect(valueOf(first!, 'http.response.status_code')).toBe('200');
    expect(valueOf(second!, 'http.response.status_code')).toBe('404');
    expect(second!.traceId).not.toBe(traceId);
    expect(JSON.stringify(spans)).not.toContain('planted');
    const asked = stage.registry.requests.map(({ headers }) => headers.traceparent);
    expect(asked).toContain(`00-${traceId}-${first!.spanId}-01`);
  });

  it('are only wanted when the variables of OpenTelemetry say so', () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
    expect(
      [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, { ...endpoint, OTEL_SDK_DISABLED: 'true' }].map((each) =>
        wantsTraces(each),
      ),
    ).toEqual([false, false, false]);
    expect(wantsTraces({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' })).toBe(false);
    expect([endpoint, { OTEL_TRACES_EXPORTER: 'otlp' }].map((each) => wantsTraces(each))).toEqual([true, true]);
  });
});
