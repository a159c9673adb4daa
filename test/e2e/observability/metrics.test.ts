import http from 'node:http';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { FaultyStorage } from '../../chaos/support/faulty-storage.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { Gate } from '../support/gate.js';
import { heldBlob } from '../support/held-blob.js';
import { Scrape } from '../support/metrics.js';
import { Mirror } from '../support/mirror.js';
import { rawRequest } from '../support/raw.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';
import { MovingClock } from '../support/moving-clock.js';

const image = makeImage({ layers: [300_000, 10] });
const [layer, small] = [image.layers[0]!, image.layers[1]!];
const ns = 'namespace="registry.test"';

describe('/metrics', () => {
  it('counts hits and misses of each namespace under the names they have always had', async () => {
    await using stage = await Stage.start();
    stage.registry.addImage('team/app', image, ['1']);
    for (let round = 0; round < 3; round += 1) {
      await stage.get('team/app/manifests/1');
      await stage.head('team/app/manifests/1');
      for (const { digest } of [layer, small]) await stage.get(`team/app/blobs/${digest}`);
      await stage.mirror.settled();
    }
    const scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get(`manifest_cache_hits{${ns}}`)).toBe(5);
    expect(scrape.get(`manifest_cache_misses{${ns}}`)).toBe(1);
    expect(scrape.get(`blob_cache_hits{${ns}}`)).toBe(4);
    expect(scrape.get(`blob_cache_misses{${ns}}`)).toBe(2);
    expect(scrape.get(`oci_registry_cache_answers_total{${ns},kind="blob",cache="hit"}`)).toBe(4);
    for (const other of ['docker.io', 'other']) expect(scrape.get(`blob_cache_misses{namespace="${other}"}`)).toBe(0);
  });

  it('counts bytes sent, received and saved, and how requests ended on both sides', async () => {
    await using stage = await Stage.start({ registry: { auth: 'bearer', redirectBlobs: 307 } });
    stage.registry.addImage('team/app', image, ['1']);
    const size = image.manifest.body.length + layer.body.length;
    for (let round = 0; round < 3; round += 1) {
      await stage.get('team/app/manifests/1');
      await stage.get(`team/app/blobs/${layer.digest}`);
      await stage.mirror.settled();
    }
    await stage.get('team/app/manifests/absent');
    const scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get(`oci_registry_sent_bytes_total{${ns}}`)).toBe(3 * size);
    expect(scrape.get(`oci_registry_upstream_received_bytes_total{${ns}}`)).toBe(size);
    expect(scrape.get(`oci_registry_saved_bytes_total{${ns}}`)).toBe(2 * size);
    const requests = (endpoint: string, status: string) =>
      scrape.get(`oci_registry_http_requests_total{endpoint="${endpoint}",method="GET",status="${status}"}`);
    expect([requests('manifests', '2xx'), requests('manifests', '4xx'), requests('blobs', '2xx')]).toEqual([3, 1, 3]);
    expect(scrape.get('oci_registry_http_request_duration_seconds_count{endpoint="manifests"}')).toBe(4);
    expect(scrape.get('oci_registry_http_request_duration_seconds_bucket{endpoint="manifests",le="+Inf"}')).toBe(4);
    expect(scrape.get('oci_registry_http_request_duration_seconds_sum{endpoint="manifests"}')).toBeGreaterThan(0);
    const upstream = (result: string) => scrape.get(`oci_registry_upstream_requests_total{${ns},result="${result}"}`)!;
    expect(upstream('redirected')).toBe(1);
    expect(upstream('challenged')).toBeGreaterThanOrEqual(1);
    expect(upstream('refused')).toBe(1);
    expect(scrape.get('oci_registry_token_requests_total{result="granted"}')).toBeGreaterThanOrEqual(1);
    expect(scrape.get('oci_registry_downloads_total{result="kept"}')).toBe(1);
    expect(scrape.get('oci_registry_storage_operations_total{operation="commit"}')).toBe(1);
    expect(scrape.get('oci_registry_storage_errors_total{operation="read"}')).toBe(0);
  });

  it('shows the memory of bodies and its limit', async () => {
    await using stage = await Stage.start({ server: { bodyMemory: 32 * 1024 * 1024 } });
    stage.registry.addImage('team/app', image, ['1']);
    await stage.get('team/app/manifests/1');
    await stage.mirror.settled();
    const scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get('oci_registry_body_memory_limit_bytes')).toBe(32 * 1024 * 1024);
    expect(scrape.get('oci_registry_body_memory_bytes')).toBe(0);
    expect(scrape.get('oci_registry_body_memory_waiting')).toBe(0);
  });

  it('shows a download, its followers and its bytes while it runs', async () => {
    await using stage = await Stage.start();
    using gate = new Gate();
    const blob = makeBlob(1_000_000, 'running');
    stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const clients = await Promise.all(
      [1, 2, 3].map(async () => {
        const sent = http.get(stage.urlOf(`team/app/blobs/${blob.digest}`), { agent: false });
        const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
        return response.resume();
      }),
    );
    let scrape = await Scrape.of(stage.mirror.url);
    await until('half of it is there', async () => {
      scrape = await Scrape.of(stage.mirror.url);
      return scrape.get(`oci_registry_upstream_received_bytes_total{${ns}}`)! >= 400_000;
    });
    expect(scrape.get('oci_registry_downloads{state="running"}')).toBe(1);
    expect(scrape.get('oci_registry_download_followers')).toBe(3);
    // The scrape itself is one.
    expect(scrape.get('oci_registry_http_requests_active')).toBe(4);
    gate.open();
    await Promise.all(clients.map((response) => once(response, 'end')));
    await stage.mirror.settled();
    scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get('oci_registry_downloads{state="running"}')).toBe(0);
    expect(scrape.get('oci_registry_download_followers')).toBe(0);
    expect(scrape.get(`oci_registry_saved_bytes_total{${ns}}`)).toBe(2_000_000);
  });

  it('shows what upstreams limit and whether they answer', async () => {
    const clock = new MovingClock();
    await using stage = await Stage.start({
      clock,
      registry: { rateLimit: { limit: 100, remaining: 76, window: 21_600 } },
    });
    stage.registry.addImage('team/app', image, ['1']);
    expect((await Scrape.of(stage.mirror.url)).get(`oci_registry_upstream_rate_limit{${ns}}`)).toBeUndefined();
    await stage.get('team/app/manifests/1');
    let scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get(`oci_registry_upstream_rate_limit{${ns}}`)).toBe(100);
    expect(scrape.get(`oci_registry_upstream_rate_limit_remaining{${ns}}`)).toBe(75);
    expect(scrape.get(`oci_registry_upstream_circuit_state{${ns}}`)).toBe(0);
    stage.registry.behaviour.outage = { status: 503, retryAfter: 600 };
    await stage.get('team/app/manifests/2');
    scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get(`oci_registry_upstream_failing_repositories{${ns}}`)).toBe(1);
    expect(scrape.get(`oci_registry_upstream_circuit_state{${ns}}`)).toBe(0);
    await stage.get('team/other/manifests/2');
    await stage.get('team/third/manifests/2');
    scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get(`oci_registry_upstream_circuit_state{${ns}}`)).toBe(2);
    expect(scrape.get(`oci_registry_upstream_requests_total{${ns},result="failed"}`)).toBeGreaterThanOrEqual(1);
    clock.pass(601);
    scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get(`oci_registry_upstream_circuit_state{${ns}}`)).toBe(1);
  });

  it('counts the errors of the storage, and no absences', async () => {
    await using storage = await FaultyStorage.make();
    await using stage = await Stage.start({ storage, root: storage.root, server: { memoryCache: 0 } });
    stage.registry.addImage('team/app', image, ['1']);
    await stage.get('team/app/manifests/1');
    storage.faults.set('read', 'failed');
    expect((await stage.get('team/app/manifests/1')).status).toBe(503);
    const scrape = await Scrape.of(stage.mirror.url);
    expect(scrape.get('oci_registry_storage_errors_total{operation="read"}')).toBe(1);
    expect(scrape.get('oci_registry_storage_errors_total{operation="stat"}')).toBe(0);
    storage.faults.clear();
  });

  it('shows the versions of the program and of Node.js', async () => {
    await using mirror = await Mirror.start();
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    const labels = `version="${version}",node="${process.versions.node}"`;
    expect((await Scrape.of(mirror.url)).get(`oci_registry_build_info{${labels}}`)).toBe(1);
  });

  it('tells the delay of the event loop since the scrape before', async () => {
    await using mirror = await Mirror.start();
    await Scrape.of(mirror.url);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const end = performance.now() + 300;
    while (performance.now() < end);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const blocked = (await Scrape.of(mirror.url)).get('nodejs_eventloop_lag_p99_seconds')!;
    expect(blocked).toBeGreaterThan(0.2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await Scrape.of(mirror.url)).get('nodejs_eventloop_lag_p99_seconds')).toBeLessThan(blocked);
  });

  it('is at one spelling of its path, in the text format, and takes no other method', async () => {
    await using mirror = await Mirror.start();
    const reply = await rawRequest(mirror.url, '/metrics?x=1');
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    for (const target of [
      '/%6detrics',
      '/metrics/',
      '//metrics',
      '/./metrics',
      '/x/../metrics',
      '/METRICS',
      '/metrics%3f',
    ])
      expect([target, (await rawRequest(mirror.url, target)).status]).toEqual([target, 404]);
    for (const method of ['POST', 'DELETE']) {
      expect((await rawRequest(mirror.url, '/metrics', { method })).status).toBe(405);
    }
  });
});
