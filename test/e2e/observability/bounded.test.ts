import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Resolver } from '../../../src/upstream/transport/resolver.js';
import { Scrape } from '../support/metrics.js';
import { Mirror } from '../support/mirror.js';
import { rawRequest } from '../support/raw.js';

class NoHosts extends Resolver {
  readonly lookup: LookupFunction = (hostname, _options, callback) => {
    callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' }), []);
  };
}

const nouns = ['manifests/1', `manifests/sha256:${'0'.repeat(64)}`, `blobs/sha256:${'0'.repeat(64)}`, 'tags/list'];
const total = 100_000;
/** Names that go all the way to DNS; the others are refused before, which is faster. */
const mirrored = 3_000;

describe('/metrics after 100,000 random names', () => {
  it('has at most 50 series more', { timeout: 180_000 }, async () => {
    const settings = { denyNamespaces: ['*.denied.test'], logLevel: 'silent' as const };
    await using mirror = await Mirror.start({ resolver: new NoHosts(), server: settings });
    const before = await Scrape.of(mirror.url);
    const targetOf = (n: number) => {
      const host = `n${n}.${n % total < mirrored ? 'test' : 'denied.test'}`;
      const rest = `r${n}/x${n}/${nouns[n % nouns.length]!}`;
      return n % 2 === 0 ? `/v2/${host}/${rest}` : `/v2/${rest}?ns=${host}`;
    };
    const fastify = mirror.app.getHttpAdapter().getInstance();
    for (let n = 0; n < total; n += 500) {
      const batch = Array.from({ length: 500 }, (_, i) => fastify.inject({ method: 'GET', url: targetOf(n + i) }));
      const wrong = (await Promise.all(batch)).filter(({ statusCode }) => statusCode !== 404);
      expect(wrong.map(({ statusCode }) => statusCode)).toEqual([]);
    }
    // Over sockets, too, where a request counts when its connection has its answer.
    for (let n = total; n < total + 200; n += 1) await rawRequest(mirror.url, targetOf(n));
    for (const odd of [
      '/',
      '/foo',
      '/v2',
      '/v2/',
      '/v2/x',
      '/v2/%',
      '/v2/a/b/c',
      '/v2/../x',
      '/%00',
      '/v2/x/manifests/',
    ])
      for (const method of ['GET', 'HEAD', 'POST', 'PUT']) await rawRequest(mirror.url, odd, { method });
    const after = await Scrape.of(mirror.url);
    const known = new Set(before.series);
    const added = after.series.filter((series) => !known.has(series));
    expect(added.length).toBeLessThanOrEqual(50);
    expect(after.text).not.toMatch(/denied|n1\.test|x1/);
    const counted = after.series
      .filter((series) => series.startsWith('oci_registry_http_requests_total'))
      .reduce((sum, series) => sum + after.get(series)!, 0);
    expect(counted).toBeGreaterThanOrEqual(total);
    expect(after.series.length).toBeLessThan(400);
  });
});
