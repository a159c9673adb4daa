import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import * as lie from '../../fakes/scripted-upstream.js';
import { ScriptedUpstream } from '../../fakes/scripted-upstream.js';
import { makeCertificate } from '../../fixtures/certificate.js';
import { makeBlob } from '../../fixtures/images.js';

const { body } = makeBlob(300_000, 'scripted');

let upstream: ScriptedUpstream;
let url: string;

beforeEach(async () => {
  upstream = await ScriptedUpstream.start();
  url = `${upstream.url}/blob`;
});

afterEach(async () => {
  expect(upstream.failures).toEqual([]);
  await upstream.close();
  expect(upstream.openSockets).toBe(0);
});

describe('ScriptedUpstream', () => {
  it('takes one script for each request and repeats the last', async () => {
    upstream.on(
      'GET',
      '/blob',
      lie.plain(500),
      [lie.head(429, { 'retry-after': 3, 'content-length': 0 })],
      lie.content(body),
    );
    const statuses = [];
    for (let turn = 0; turn < 4; turn += 1) statuses.push((await request(url)).status);
    expect(statuses).toEqual([500, 429, 200, 200]);
    expect(upstream.count({ path: '/blob' })).toBe(4);
    expect(upstream.bodyBytes({ path: '/blob' })).toBe(2 * body.length);
    expect((await request(`${upstream.url}/elsewhere`)).status).toBe(404);
    expect((await request(url, { method: 'HEAD' })).status).toBe(404);
  });

  it('keeps connections alive and reads request bodies', async () => {
    upstream.on('*', /^\/v2\//, { respond: (asked) => lie.plain(200, `${asked.method} ${asked.body.length}`) });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/v2/', '/v2/a?n=1'])
      expect((await request(upstream.url + path, { agent })).body.toString()).toBe('GET 0');
    const sent = http.request(`${upstream.url}/v2/upload`, { method: 'POST', agent });
    sent.write('chunk one');
    sent.end('two');
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    expect(upstream.requests.map(({ body: received }) => received.toString())).toEqual(['', '', 'chunk onetwo']);
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([1, 1, 1]);
    expect(upstream.requests[1]).toMatchObject({ path: '/v2/a?n=1', headers: { host: upstream.host } });
    agent.destroy();
  });

  it('takes a request that arrives in pieces', async () => {
    upstream.on('GET', '/blob', lie.plain(200, 'whole'));
    const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
    for (const piece of ['GET /bl', 'ob HTTP/1.1\r\nHost: a\r', '\n\r\n']) {
      socket.write(piece);
      await sleep(10);
    }
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('200 OK');
    socket.destroy();
    await expect.poll(() => upstream.openSockets).toBe(0);
  });

  it('chooses by what the request says', async () => {
    const bearer = 'Bearer realm="https://auth.example/token"';
    upstream.on('GET', '/blob', {
      respond: ({ headers }) =>
        headers.authorization === undefined ? lie.challenge(bearer, 'Basic') : lie.content(body),
    });
    const refused = await request(url);
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toBe(`${bearer}, Basic`);
    expect((await request(url, { headers: { authorization: 'Bearer x' } })).body.equals(body)).toBe(true);
  });

  it('can be killed in the middle, and revived on the same port', async () => {
    upstream.on('*', '/blob', lie.stallAfter(body, 1000), lie.content(body));
    const stalled = request(url);
    await expect.poll(() => upstream.bodyBytes()).toBe(1000);
    await sleep(20);
    await upstream.kill();
    expect((await stalled).error).toBeInstanceOf(Error);
    await expect(request(url)).rejects.toThrow('ECONNREFUSED');
    await upstream.revive();
    expect((await request(url)).body.equals(body)).toBe(true);
    expect(upstream.connections).toBe(2);
  });

  it('speaks TLS, resets included', async () => {
    const tls = makeCertificate();
    await using secure = await ScriptedUpstream.start({ tls });
    secure.on('GET', '/blob', lie.content(body), lie.resetAfter(body, 100));
    expect((await request(`${secure.url}/blob`, { ca: tls.cert })).body.equals(body)).toBe(true);
    const broken = await request(`${secure.url}/blob`, { ca: tls.cert }).catch((error: unknown) => ({ error }));
    expect(broken.error).toBeInstanceOf(Error);
    expect(secure.failures).toEqual([]);
  });

  it('drops what is not HTTP', async () => {
    const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
    socket.end('\u0016\u0003\u0001 hello\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect(upstream.count()).toBe(0);
  });
});

describe('scripts that break off', () => {
  it('cuts, resumes by Range, and arrives whole', async () => {
    const headers = { etag: '"v1"' };
    upstream.on(
      'GET',
      '/blob',
      lie.cutAfter(body, 100_000, { headers }),
      lie.cutAfter(body, 50_000, { headers }),
      lie.content(body, { headers }),
    );
    const first = await request(url);
    expect(first.error).toMatchObject({ code: 'ECONNRESET' });
    expect(first.headers['content-length']).toBe(String(body.length));
    const second = await request(url, { headers: { range: 'bytes=100000-', 'if-range': '"v1"' } });
    expect(second).toMatchObject({ status: 206, headers: { 'content-range': `bytes 100000-299999/300000` } });
    const third = await request(url, { headers: { range: 'bytes=150000-' } });
    expect(Buffer.concat([first.body, second.body, third.body]).equals(body)).toBe(true);
    expect(upstream.bodyBytes()).toBe(body.length);
    expect((await request(url, { headers: { range: 'bytes=1-', 'if-range': '"v2"' } })).status).toBe(200);
  });

  it('resets', async () => {
    upstream.on('GET', '/blob', lie.reset());
    await expect(request(url)).rejects.toThrow('ECONNRESET');
  });

  it('is silent until the client leaves, and sees it leave', async () => {
    upstream.on('GET', '/blob', lie.silence());
    await expect(request(url, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    expect(upstream.count()).toBe(1);
    await expect.poll(() => upstream.openSockets).toBe(0);
  });

  it('drips, waits and sends chunks', async () => {
    const started = lie.head(200, { 'transfer-encoding': 'chunked' });
    const two = [body.subarray(0, 10), body.subarray(10, 300)];
    upstream.on('GET', '/blob', [started, lie.wait(20), lie.chunked(two)]);
    upstream.on('GET', '/drip', [lie.head(200, { 'content-length': 300 }), lie.drip(body.subarray(0, 300), 2000)]);
    expect((await request(url)).body.equals(body.subarray(0, 300))).toBe(true);
    const began = performance.now();
    expect((await request(`${upstream.url}/drip`)).body.equals(body.subarray(0, 300))).toBe(true);
    // Only the lower bound: a busy machine makes everything slower.
    expect(performance.now() - began).toBeGreaterThan(100);
  });
});

describe('lies', () => {
  const ask = (script: lie.Script, range?: string) => {
    upstream.on('GET', '/blob', script);
    return request(url, { headers: range === undefined ? {} : { range } });
  };

  it('about the length', async () => {
    expect((await ask(lie.shortBody(body))).error).toBeDefined();
    const truncated = await ask(lie.truncatedBody(body, 5));
    expect(truncated.error).toBeUndefined();
    expect(truncated.body.equals(body.subarray(0, -5))).toBe(true);
    expect((await ask(lie.longBody(body))).body.equals(body)).toBe(true);
    expect((await ask(lie.paddedBody(body))).body).toHaveLength(body.length + 7);
    expect((await ask(lie.untilClosed(body))).body.equals(body)).toBe(true);
    expect((await ask(lie.unterminatedChunks(body))).error).toBeDefined();
    await expect(ask(lie.twoLengths(body))).rejects.toThrow(/Parse Error/);
  });

  it('about the content', async () => {
    const wrong = await ask(lie.wrongBytes(body));
    expect(wrong.body).toHaveLength(body.length);
    expect(wrong.body.equals(body)).toBe(false);
    const packed = await ask(lie.gzipEncoded(body));
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body).equals(body)).toBe(true);
    expect(await ask(lie.htmlPage())).toMatchObject({ status: 200, headers: { 'content-type': 'text/html' } });
  });

  it('about ranges', async () => {
    const range = 'bytes=1000-';
    const shifted = await ask(lie.rangeShifted(body, -10), range);
    expect(shifted.headers['content-range']).toBe('bytes 990-299999/300000');
    const mislabelled = await ask(lie.rangeMislabelled(body), range);
    expect(mislabelled.headers['content-range']).toBe('bytes 1000-299999/300000');
    expect(mislabelled.body.equals(body.subarray(0, -1000))).toBe(true);
    const otherTotal = await ask(lie.rangeOtherTotal(body), range);
    expect(otherTotal.headers['content-range']).toBe('bytes 1000-299999/300001');
    expect(otherTotal.body.equals(body.subarray(1000))).toBe(true);
    expect((await ask(lie.rangeUnlabelled(body), range)).headers['content-range']).toBeUndefined();
    expect(await ask(lie.rangeIgnored(body), range)).toMatchObject({ status: 200 });
  });

  it('about HTTP itself', async () => {
    await expect(ask(lie.garbageStatusLine())).rejects.toThrow(/Parse Error/);
    await expect(ask(lie.endlessHeaders())).rejects.toThrow(/Header overflow/);
    await expect.poll(() => upstream.openSockets).toBe(0);
    const loop = await ask(lie.redirect('/blob', 302));
    expect(loop).toMatchObject({ status: 302, headers: { location: '/blob' } });
    expect((await ask(lie.redirect('http://169.254.169.254/'))).headers.location).toBe('http://169.254.169.254/');
  });
});
