import { describe, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { Stage } from '../support/stage.js';

const image = makeImage({ layers: [100_000] });
const trace = (n: number) => `00-${n.toString(16).padStart(32, 'a')}-00f067aa0ba902b7-01`;

describe('the trace of a client', () => {
  it('goes on at the registry, with the id of the request, and nowhere else', async () => {
    await using stage = await Stage.start({ registry: { auth: 'bearer', redirectBlobs: 307 } });
    stage.registry.addImage('team/app', image, ['1']);
    const headers = { traceparent: trace(1), tracestate: 'vendor=x, other=y', 'x-request-id': 'pull-1' };
    const response = await stage.get('team/app/manifests/1', headers);
    expect([response.status, response.headers['x-request-id']]).toEqual([200, 'pull-1']);
    await stage.get(`team/app/blobs/${image.layers[0]!.digest}`, headers);
    await stage.mirror.settled();
    const { requests } = stage.registry;
    const own = requests.filter(({ kind }) => kind.startsWith('manifest') || kind.startsWith('blob'));
    expect(own.length).toBeGreaterThanOrEqual(3);
    for (const { headers: sent } of own)
      expect(sent).toMatchObject({ traceparent: trace(1), tracestate: 'vendor=x,other=y', 'x-request-id': 'pull-1' });
    const others = requests.filter((request) => !own.includes(request));
    expect(others.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['token', 'cdn']));
    for (const { headers: sent } of others) {
      expect(sent.traceparent).toBeUndefined();
      expect(sent['x-request-id']).toBeUndefined();
    }
  });

  it('is kept apart from those of others, and malformed ones are dropped', async () => {
    await using stage = await Stage.start();
    for (let n = 1; n <= 20; n += 1) stage.registry.addImage(`team/app${n}`, image, ['1']);
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const n = i + 1;
        const traceparent = n % 2 === 0 ? trace(n) : trace(n).toUpperCase();
        return stage.get(`team/app${n}/manifests/1`, { traceparent, tracestate: 'a=1' });
      }),
    );
    const sent = new Map(stage.registry.requests.map(({ repository, headers }) => [repository, headers.traceparent]));
    for (let n = 1; n <= 20; n += 1) expect(sent.get(`team/app${n}`)).toBe(n % 2 === 0 ? trace(n) : undefined);
    expect(stage.registry.requests.filter(({ headers }) => 'tracestate' in headers)).toHaveLength(10);
  });
});
