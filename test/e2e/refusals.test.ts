import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { ScriptedUpstream, garbageStatusLine, htmlPage, reset, silence } from '../fakes/scripted-upstream.js';
import type { Outage } from '../fakes/registry/behaviour.js';
import { request } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { expectError } from './support/error-document.js';
import { Mirror } from './support/mirror.js';
import { exchange, rawRequest, readResponse } from './support/raw.js';
import { Stage } from './support/stage.js';
import { storedFiles } from './support/stored-files.js';

const image = makeImage({ layers: [100] });
const { digest } = image.manifest;
const layer = image.layers[0]!.digest;

const endpoints = [
  'manifests/1',
  `manifests/${digest}`,
  `blobs/${layer}`,
  'blobs/uploads/',
  'blobs/uploads/f00?digest=sha256:0',
  'tags/list',
  `referrers/${digest}`,
];

describe('a method that only reading knows nothing of', () => {
  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('%s is not supported anywhere', async (method) => {
    await using stage = await Stage.start();
    const targets = [...endpoints.map((endpoint) => `/v2/registry.test/team/app/${endpoint}`), '/v2/', '/v2', '/'];
    for (const target of targets) {
      const body = method === 'OPTIONS' ? [] : ['content-type: application/json', 'content-length: 2'];
      const lines = [`${method} ${target} HTTP/1.1`, 'host: m', 'connection: close', ...body];
      const reply = await exchange(stage.mirror.url, `${lines.join('\r\n')}\r\n\r\n${body.length > 0 ? '{}' : ''}`);
      expectError(reply, 405, 'UNSUPPORTED');
      expect(reply.headers.allow, target).toBe('GET, HEAD');
    }
    expect(stage.asked).toEqual([]);
  });

  const bodies: [what: string, headers: string[], body: string][] = [
    ['small', ['content-length: 5'], 'hello'],
    ['of 20 MB', ['content-length: 20000000'], 'x'.repeat(20_000_000)],
    ['in chunks', ['transfer-encoding: chunked'], `${`400\r\n${'x'.repeat(1024)}\r\n`.repeat(200)}0\r\n\r\n`],
    ['of an odd type', ['content-type: ;;;', 'content-length: 5'], 'hello'],
    ['of no length', [], ''],
    ['that looks like a request', ['content-length: 34'], 'GET /v2/x HTTP/1.1\r\nhost: planted\r\n'.slice(0, 34)],
  ];

  it.each(bodies)('is refused with a body %s, and the next request on the connection is understood', async (...all) => {
    const [, headers, body] = all;
    await using mirror = await Mirror.start();
    const first = ['PUT /v2/registry.test/team/app/manifests/1 HTTP/1.1', 'host: m', ...headers].join('\r\n');
    const second = 'GET /v2/ HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n';
    const said = await talkAll(mirror.url, `${first}\r\n\r\n${body}${second}`);
    const refusal = readResponse(said)!;
    const length = Number(refusal.headers['content-length']);
    expectError({ ...refusal, body: refusal.body.subarray(0, length) }, 405, 'UNSUPPORTED');
    const rest = refusal.body.subarray(length);
    // A server may end the connection in place of reading a body that it does not want.
    if (rest.length > 0) expect(readResponse(rest)).toMatchObject({ status: 200, headers: { 'content-length': '2' } });
    else expect(refusal.headers.connection).toBe('close');
  });

  it('is refused with Expect: 100-continue', async () => {
    await using mirror = await Mirror.start();
    const headers = ['host: m', 'connection: close', 'expect: 100-continue', 'content-length: 5'];
    const said = await talkAll(mirror.url, `PUT /v2/a/manifests/1 HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\nhello`);
    expect(said.toString('latin1')).toMatch(/HTTP\/1\.1 405 /);
  });
});

describe('a push', () => {
  const pushes: [string, string, string][] = [
    ['POST', '/v2/registry.test/team/app/blobs/uploads/', 'registry.test'],
    ['POST', '/v2/registry.test/team/app/blobs/uploads', 'registry.test'],
    ['POST', '/v2/team/app/blobs/uploads/?mount=sha256:0&from=team/base&ns=registry.test', 'registry.test'],
    ['POST', '/registry.test/v2/team/app/blobs/uploads/', 'registry.test'],
    ['PATCH', '/v2/ghcr.io/team/app/blobs/uploads/f00', 'ghcr.io'],
    ['PUT', '/v2/team/app/blobs/uploads/f00?digest=sha256:0', 'docker.io'],
    ['PUT', '/v2/app/manifests/1', 'docker.io'],
    ['PUT', `/v2/app/manifests/${digest}`, 'docker.io'],
    ['DELETE', `/v2/ghcr.io/team/app/manifests/${digest}`, 'ghcr.io'],
    ['DELETE', `/v2/ghcr.io/team/app/blobs/${layer}`, 'ghcr.io'],
    ['DELETE', '/v2/ghcr.io/team/app/tags/list', 'ghcr.io'],
  ];
  it.each(pushes)('is told that the registry is mirrored: %s %s', async (method, path, namespace) => {
    await using stage = await Stage.start();
    const reply = await request(`${stage.mirror.url}${path}`, { method });
    expectError(reply, 405, 'UNSUPPORTED');
    expect(JSON.parse(reply.body.toString())).toMatchObject({
      errors: [{ message: `${namespace} is mirrored here, for pulls only: push to the registry itself` }],
    });
    expect(stage.asked).toEqual([]);
  });

  const post = (mirror: Mirror, path: string) =>
    exchange(mirror.url, `POST ${path} HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n`);

  it.each(['/v2/', '/v2/_catalog', '/v2/%2e%2e/x'])('without a registry too: %s', async (path) => {
    await using mirror = await Mirror.start();
    const reply = await post(mirror, path);
    expectError(reply, 405, 'UNSUPPORTED');
    expect(reply.body.toString()).toContain('mirrored here, for pulls only');
  });

  it('to a name that no repository has is told that', async () => {
    await using mirror = await Mirror.start();
    expectError(await post(mirror, '/v2/a%20b/blobs/uploads/'), 400, 'NAME_INVALID');
  });
});

/** Everything until the server ends the connection, more than one answer. */
function talkAll(url: string, bytes: string): Promise<Buffer> {
  const { hostname, port } = new URL(url);
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(Buffer.concat(chunks)));
  });
}

describe('an endpoint that is not there', () => {
  it.each([
    '/foo',
    '/v2/_catalog',
    '/v2/_catalog?n=10',
    '/v1/_ping',
    '/v1/search?q=x',
    '/v3/',
    '/v2/foo',
    '/v2/registry.test',
    '/v2/registry.test/team/app',
    '/v2/registry.test/team/app/',
    '/v2/registry.test/team/app/tags',
    '/v2/registry.test/team/app/tags/',
    '/v2/registry.test/team/app/tags/list/more',
    '/v2/registry.test/team/app/signatures/x',
    '/v2/manifests/1',
    `/v2/blobs/${layer}`,
    '/favicon.ico',
    '/_admin',
  ])('%s is 404 with the error document, for HEAD too', async (target) => {
    await using stage = await Stage.start();
    const reply = await rawRequest(stage.mirror.url, target);
    expectError(reply, 404, 'NOT_FOUND');
    const head = await rawRequest(stage.mirror.url, target, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
      404,
      reply.headers['content-length'],
      0,
    ]);
    expect(stage.asked).toEqual([]);
  });
});

/** What a failing registry makes of a manifest by tag, one by digest, a blob, a tag list and referrers. */
const mapped: [what: string, outage: Outage, expected: [status: number, code: string, retryAfter?: string]][] = [
  ['401', { status: 401 }, [401, 'UNAUTHORIZED']],
  ['403', { status: 403 }, [403, 'DENIED']],
  ['429', { status: 429 }, [429, 'TOOMANYREQUESTS', '5']],
  ['429 with Retry-After', { status: 429, retryAfter: 7 }, [429, 'TOOMANYREQUESTS', '7']],
  ['500', { status: 500 }, [503, 'UNAVAILABLE', '5']],
  ['502', { status: 502 }, [503, 'UNAVAILABLE', '5']],
  ['503', { status: 503 }, [503, 'UNAVAILABLE', '5']],
  ['503 with Retry-After', { status: 503, retryAfter: 11 }, [503, 'UNAVAILABLE', '11']],
  ['503 with a page', { status: 503, body: '<html>planted-page</html>' }, [503, 'UNAVAILABLE', '5']],
  ['504', { status: 504 }, [503, 'UNAVAILABLE', '5']],
];
const asked = ['manifests/1', `manifests/${digest}`, `blobs/${layer}`, 'tags/list', `referrers/${digest}`];

describe('a registry that refuses or fails', () => {
  it.each(mapped)('with %s has its answer passed on for what it is', async (_, outage, [status, code, retryAfter]) => {
    for (const endpoint of asked) {
      for (const method of ['GET', 'HEAD']) {
        await using stage = await Stage.start({ registry: { outage: { ...outage } } });
        const reply = await stage.get(`team/app/${endpoint}`, {}, { method });
        if (method === 'GET') expectError(reply, status, code);
        else expect([reply.status, reply.body.length], endpoint).toEqual([status, 0]);
        expect(reply.headers['retry-after'], endpoint).toBe(retryAfter);
        expect(reply.headers['www-authenticate']).toBeUndefined();
        expect(reply.body.toString()).not.toContain('planted-');
        expect(await storedFiles(stage.mirror.root)).toEqual([]);
      }
    }
  });

  it.each(asked)('has the same answer passed on while it lasts, for %s', async (endpoint) => {
    await using stage = await Stage.start({ registry: { outage: { status: 503 } } });
    for (let count = 0; count < 5; count += 1) expectError(await stage.get(`team/app/${endpoint}`), 503, 'UNAVAILABLE');
  });

  it('with 404 says what is not there', async () => {
    await using stage = await Stage.start();
    stage.registry.addImage('team/app', makeImage({ seed: 'other' }), ['other']);
    expectError(await stage.get('team/app/manifests/1'), 404, 'MANIFEST_UNKNOWN');
    expectError(await stage.get(`team/app/manifests/${digest}`), 404, 'MANIFEST_UNKNOWN');
    expectError(await stage.get(`team/app/blobs/${layer}`), 404, 'BLOB_UNKNOWN');
    expectError(await stage.get('team/absent/tags/list'), 404, 'NAME_UNKNOWN');
    expect(await storedFiles(stage.mirror.root)).toEqual([]);
  });

  it('with 401 and credentials of ours that are wrong keeps them to itself', async () => {
    await using stage = await Stage.start({
      registry: { auth: 'basic' },
      upstream: { username: 'user', password: 'planted-wrong' },
    });
    stage.registry.addImage('team/app', image, ['1']);
    const reply = await stage.get('team/app/manifests/1');
    expectError(reply, 401, 'UNAUTHORIZED');
    expect(`${reply.body.toString()}${JSON.stringify(reply.headers)}${stage.mirror.log}`).not.toContain('planted-');
  });

  it.each([
    ['a page with 200', htmlPage(200), 502, 'UPSTREAM_ERROR'],
    ['something that is not HTTP', garbageStatusLine(), 502, 'UPSTREAM_ERROR'],
    ['a reset connection', reset(), 503, 'UNAVAILABLE'],
  ] as const)('by %s is told from one that has nothing', async (_, script, status, code) => {
    await using upstream = await ScriptedUpstream.start();
    upstream.on('*', /./, script);
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    for (const endpoint of asked.filter((path) => !path.startsWith('referrers'))) {
      const reply = await request(`${mirror.url}/v2/registry.test/team/app/${endpoint}`);
      expectError(reply, status, code);
    }
    await mirror.settled();
    expect(await storedFiles(mirror.root)).toEqual([]);
  });

  it('by not being there is unavailable', async () => {
    const registry = await FakeRegistry.start();
    await registry.close();
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host }] });
    for (const endpoint of asked) {
      const reply = await request(`${mirror.url}/v2/registry.test/team/app/${endpoint}`);
      expectError(reply, 503, 'UNAVAILABLE');
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    }
  });

  it('by silence is a timeout, within the 25 s that clients wait', { timeout: 40_000 }, async () => {
    await using upstream = await ScriptedUpstream.start();
    upstream.on('*', /./, silence());
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    const began = performance.now();
    await Promise.all(
      asked.map(async (endpoint) => {
        const reply = await request(`${mirror.url}/v2/registry.test/team/app/${endpoint}`);
        expectError(reply, 504, 'TIMEOUT');
      }),
    );
    expect(performance.now() - began).toBeLessThan(25_500);
  });

  it('never gets a wrong blob stored or sent whole', async () => {
    await using stage = await Stage.start();
    for (const size of [10, 100_000]) {
      const { digest: name } = makeBlob(size, 'right');
      stage.registry.addBlob('team/app', { digest: name, body: makeBlob(size, 'wrong').body });
      const reply = await stage.get(`team/app/blobs/${name}`);
      if (size === 10) expectError(reply, 502, 'UPSTREAM_ERROR');
      else expect([reply.error !== undefined, reply.body.length < size]).toEqual([true, true]);
    }
    await stage.mirror.settled();
    expect(await storedFiles(stage.mirror.root)).toEqual([]);
  });
});
