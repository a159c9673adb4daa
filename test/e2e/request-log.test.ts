import http from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { request } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { Gate } from './support/gate.js';
import { heldBlob } from './support/held-blob.js';
import { Mirror } from './support/mirror.js';
import { rawRequest } from './support/raw.js';
import { Stage } from './support/stage.js';
import { until } from './support/until.js';

const image = makeImage({ layers: [100_000] });
const { digest } = image.manifest;
const layer = image.layers[0]!;
const small = makeBlob(60_000, 'small');

interface Line {
  readonly msg: string;
  readonly [name: string]: unknown;
}

/** The lines of requests, when there are as many as expected. */
async function linesOf(mirror: Mirror, count: number): Promise<Line[]> {
  const lines = () =>
    mirror.log
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line)
      .filter(({ msg }) => msg === 'request');
  await until(`there are ${count} lines`, () => lines().length >= count);
  expect(lines()).toHaveLength(count);
  return lines();
}

describe('the log', () => {
  it('has a line for each request: what was asked, and what came of it', async () => {
    await using stage = await Stage.start();
    stage.registry.addImage('team/app', image, ['1']);
    const path = '/v2/registry.test/team/app';
    const targets: [method: string, target: string, expected: Record<string, unknown>][] = [
      ['GET', '/v2/', { path: '/v2/', status: 200 }],
      ['GET', `${path}/manifests/1`, { reference: '1', status: 200, cache: 'MISS' }],
      ['HEAD', `${path}/manifests/1`, { reference: '1', status: 200, cache: 'HIT' }],
      ['GET', `${path}/manifests/${digest}`, { reference: digest, status: 200, cache: 'HIT' }],
      ['GET', `${path}/blobs/${layer.digest}`, { reference: layer.digest, status: 200, cache: 'MISS' }],
      ['GET', '/v2/team/app/tags/list?ns=registry.test&n=1', { status: 200 }],
      ['GET', `${path}/manifests/absent`, { reference: 'absent', status: 404 }],
      ['GET', `${path}/manifests/-x`, { reference: '-x', status: 400 }],
      ['DELETE', `${path}/manifests/1`, { reference: '1', status: 405 }],
      ['DELETE', `${path}/tags/list`, { path: `${path}/tags/list`, status: 405 }],
      ['GET', '/foo?bar=1', { path: '/foo', status: 404 }],
    ];
    for (const [index, [method, target, expected]] of targets.entries()) {
      const reply = await rawRequest(stage.mirror.url, target, { method });
      const line = (await linesOf(stage.mirror, index + 1)).at(-1)!;
      const repository = 'path' in expected ? {} : { repository: 'registry.test/team/app' };
      expect(line).toMatchObject({ method, ...repository, ...expected, id: reply.headers['x-request-id'] });
      expect(line.bytes).toBeGreaterThan(reply.body.length);
      expect(line.bytes).toBeLessThan(reply.body.length + 1000);
      expect(line.duration).toBeGreaterThanOrEqual(0);
      const known = [
        'level',
        'time',
        'msg',
        'method',
        'repository',
        'reference',
        'path',
        'status',
        'bytes',
        'duration',
        'cache',
        'id',
        'error',
      ];
      expect(Object.keys(line).filter((name) => !known.includes(name))).toEqual([]);
    }
  });

  it('has no headers, no queries and no secrets', async () => {
    await using stage = await Stage.start({
      registry: { auth: 'bearer', anonymous: false, redirectBlobs: 307 },
      upstream: { username: 'user', password: 'planted-password' },
      server: { logLevel: 'trace' },
    });
    stage.registry.addImage('team/app', image, ['1']);
    const headers = ['authorization: Basic planted-header', 'cookie: planted-cookie', 'user-agent: planted-agent'];
    const targets = [
      '/v2/registry.test/team/app/manifests/1?token=planted-query',
      `/v2/registry.test/team/app/blobs/${layer.digest}?X-Amz-Signature=planted-query`,
      '/v2/team/app/manifests/1?ns=planted-user:planted-password@registry.test',
      '/foo?planted-query',
      'http://planted-user:planted-password@m.test/foo',
      'http://planted-user:planted-password@m.test/v2/registry.test/team/app/manifests/1',
    ];
    for (const target of targets) await rawRequest(stage.mirror.url, target, { headers });
    stage.registry.behaviour.password = 'planted-other';
    stage.registry.revokeTokens();
    await rawRequest(stage.mirror.url, '/v2/registry.test/team/app/manifests/2', { headers });
    await linesOf(stage.mirror, targets.length + 1);
    expect(stage.mirror.log).not.toContain('planted');
  });

  it('says so when a client left before the end', async () => {
    await using stage = await Stage.start();
    using gate = new Gate();
    const blob = makeBlob(1_000_000, 'left');
    stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const sent = http.get(stage.urlOf(`team/app/blobs/${blob.digest}`), { agent: false });
    sent.on('error', () => undefined);
    await once(sent, 'response');
    sent.destroy();
    const [line] = await linesOf(stage.mirror, 1);
    expect(line).toMatchObject({ aborted: true, repository: 'registry.test/team/app', cache: 'MISS' });
    gate.open();
    // It is the client that left, not the download.
    await stage.mirror.settled();
    expect((await stage.get(`team/app/blobs/${blob.digest}`)).headers['x-cache']).toBe('HIT');
  });

  it.each([
    ['of the framework', '/metrics'],
    ['of a cached response', `/v2/registry.test/team/app/blobs/${small.digest}`],
  ])('says so when a client left after a response was ended, and before it was sent: %s', async (_, target) => {
    await using stage = await Stage.start({ server: { logLevel: 'debug' } });
    stage.registry.addBlob('team/app', small);
    for (let time = 0; time < 3; time += 1) await request(`${stage.mirror.url}${target}`);
    await stage.mirror.settled();
    const socket = connect(Number(new URL(stage.mirror.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET ${target} HTTP/1.1\r\nhost: m\r\n\r\n`.repeat(2_000));
    const lines = () => stage.mirror.log.split('"msg":"request"').length - 1;
    let before = 0;
    await until('nothing more is taken', async () => {
      const isDone = lines() > 3 && lines() === before;
      before = lines();
      await sleep(100);
      return isDone;
    });
    socket.resetAndDestroy();
    await until('one is aborted', () => stage.mirror.log.includes('"aborted":true'));
    const all = await linesOf(stage.mirror, lines());
    expect(all.map((line) => line.aborted === true).indexOf(true)).toBe(all.length - 1);
    expect((await request(`${stage.mirror.url}/metrics`)).body.toString()).toMatch(/status="aborted"[^}]*} 1\n/);
  });

  it('keeps a line a line, whatever a client writes into a URL', async () => {
    await using mirror = await Mirror.start();
    await rawRequest(mirror.url, '/v2/x%0a%7b%22level%22:60%7d/manifests/1');
    await rawRequest(mirror.url, `/${'long'.repeat(2000)}`);
    const lines = await linesOf(mirror, 2);
    expect(mirror.log.trimEnd().split('\n').length).toBe(lines.length);
    for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(1500);
  });

  it('is silent when told to be', async () => {
    await using stage = await Stage.start({ server: { logLevel: 'silent' } });
    await stage.get('team/app/manifests/1');
    expect(stage.mirror.log).toBe('');
  });
});
