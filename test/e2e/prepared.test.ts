import { describe, expect, it } from 'vitest';
import { makeImage } from '../fixtures/images.js';
import { MovingClock } from './support/moving-clock.js';
import { Stage, type StageOptions } from './support/stage.js';

/** A stage whose image has been asked for twice: the second answer is the one that is given again. */
async function warm(paths: readonly string[], options: StageOptions = {}): Promise<Stage> {
  const stage = await Stage.start(options);
  stage.registry.addImage('team/app', image, ['1.0']);
  for (let round = 0; round < 2; round += 1) for (const path of paths) await stage.get(path);
  await stage.mirror.settled();
  return stage;
}

const image = makeImage({ layers: [20_000] });
const [layer] = image.layers;
const paths = {
  tag: 'team/app/manifests/1.0',
  manifest: `team/app/manifests/${image.manifest.digest}`,
  blob: `team/app/blobs/${layer!.digest}`,
};

const lasting = ({ headers }: { headers: Record<string, unknown> }) => {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'date' && name !== 'x-request-id'));
};

describe('an answer that is given again', () => {
  it.each(Object.entries(paths))('is the same for a %s, under an id of its own', async (_name, path) => {
    await using stage = await warm([path]);
    const before = await stage.get(path);
    const asked = stage.registry.requests.length;
    const responses = [await stage.get(path), await stage.get(path)];
    for (const response of responses) {
      expect(response.status).toBe(200);
      expect(lasting(response)).toEqual(lasting(before));
      expect(response.body.equals(before.body)).toBe(true);
    }
    expect(new Set(responses.map(({ headers }) => headers['x-request-id'])).size).toBe(2);
    expect(before.headers['x-cache']).toBe('HIT');
    expect(stage.registry.requests.length).toBe(asked);
    await stage.mirror.settled();
    expect(stage.mirror.log.match(/"cache":"HIT"/g)?.length).toBeGreaterThanOrEqual(1 + responses.length);
  });

  it.each(Object.entries(paths))('has no body for HEAD of a %s, whichever came first', async (_name, path) => {
    await using stage = await warm([path]);
    for (let round = 0; round < 3; round += 1) {
      const head = await stage.head(path);
      const get = await stage.get(path);
      expect([head.status, head.body.length, head.headers['content-length']]).toEqual([
        200,
        0,
        String(get.body.length),
      ]);
    }
  });

  it('does not hide conditions and ranges', async () => {
    await using stage = await warm([paths.blob, paths.manifest]);
    const part = await stage.get(paths.blob, { range: 'bytes=10-19' });
    expect([part.status, part.body.toString('hex')]).toEqual([206, layer!.body.subarray(10, 20).toString('hex')]);
    const { etag } = (await stage.get(paths.manifest)).headers;
    expect((await stage.get(paths.manifest, { 'if-none-match': String(etag) })).status).toBe(304);
    expect((await stage.get(paths.manifest)).status).toBe(200);
  });

  it('tells the age of a tag, and ends with its freshness', async () => {
    const clock = new MovingClock();
    await using stage = await warm([paths.tag], { clock, upstream: { tagTtl: 60_000 } });
    clock.pass(30);
    expect((await stage.get(paths.tag)).headers).toMatchObject({ age: '30', 'x-cache': 'HIT' });
    clock.pass(31);
    const other = makeImage({ layers: [30_000] });
    stage.registry.addImage('team/app', other, ['1.0']);
    const moved = await stage.get(paths.tag);
    expect(moved.headers['docker-content-digest']).toBe(other.manifest.digest);
    expect((await stage.get(paths.tag)).headers['docker-content-digest']).toBe(other.manifest.digest);
  });

  it('ends when the repository has lost its access', async () => {
    const clock = new MovingClock();
    const all = Object.values(paths);
    await using stage = await warm(all, { clock, upstream: { username: 'user', password: 'word' } });
    stage.registry.deleteTag('team/app', '1.0');
    stage.registry.deleteManifest('team/app', image.manifest.digest);
    stage.registry.deleteBlob('team/app', layer!.digest);
    clock.pass(3_601);
    for (const path of all) expect((await stage.get(path)).status).toBe(404);
    for (const path of all) expect((await stage.get(path)).status).toBe(404);
  });
});
