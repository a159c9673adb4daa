import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SweepService } from '../../src/registry/eviction/sweep.service.js';
import { older, Scene } from './support/scene.js';
import { storedFiles } from './support/stored.js';

const { digest } = older.manifest;
const [layer] = older.layers;
const blob = `app/blobs/${layer!.digest}`;
const list = 'app/tags/list';

/** Which record, the request that needs it, and where it is. */
const records: [string, string, RegExp][] = [
  ['a tag', 'app/manifests/1.0', /\/_tags\//],
  ['a manifest', `app/manifests/${digest}`, /\/_manifests\//],
  ['a blob', blob, new RegExp(`/_blobs/sha256/${layer!.digest.slice(7)}`)],
  ['a list', list, /\/_lists\//],
];

/** A mirror that has pulled everything, and has forgotten it but for what is stored. */
async function withAll(): Promise<Scene> {
  const scene = await Scene.withTag();
  for (const path of [`app/manifests/${digest}`, blob, list]) {
    expect([path, (await scene.get(path)).status]).toEqual([path, 200]);
  }
  await scene.mirror.settled();
  await scene.restart();
  scene.asked();
  return scene;
}

async function recordOf(scene: Scene, where: RegExp): Promise<string> {
  const files = (await storedFiles(scene.mirror)).filter(
    (file) => file.startsWith('repositories/') && where.test(file),
  );
  expect(files).toHaveLength(1);
  return files[0]!;
}

describe.each(records)('the record of %s', (_, path, where) => {
  it.each([0, 0.5, 0.99])('of which only a part was written (%d of it) is set aside and made anew', async (part) => {
    await using scene = await withAll();
    const file = await recordOf(scene, where);
    const sound = await readFile(join(scene.mirror.root, file), 'utf8');
    await writeFile(join(scene.mirror.root, file), sound.slice(0, sound.length * part));
    const response = await scene.get(path);
    expect(response.status).toBe(200);
    await scene.mirror.settled();
    expect(await readFile(join(scene.mirror.root, 'damaged', file), 'utf8')).toBe(sound.slice(0, sound.length * part));
    const [fields = ''] = (await readFile(join(scene.mirror.root, file), 'utf8')).split('\n', 1);
    expect(JSON.parse(fields)).toMatchObject({ version: 1 });
    await scene.restart();
    expect((await scene.get(path)).body.equals(response.body)).toBe(true);
  });

  it('of a newer program is an error that says so, and stays as it is', async () => {
    await using scene = await withAll();
    const file = await recordOf(scene, where);
    const newer = '{"version":2,"digest":{"of":"another shape"}}';
    await writeFile(join(scene.mirror.root, file), newer);
    for (let count = 0; count < 2; count += 1) {
      const response = await scene.get(path);
      expect(response).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
      expect(response.body.toString()).toContain('written by a newer version of this program');
    }
    await scene.mirror.app.get(SweepService).run();
    expect(await readFile(join(scene.mirror.root, file), 'utf8')).toBe(newer);
    expect((await storedFiles(scene.mirror)).filter((other) => other.startsWith('damaged/'))).toEqual([]);
    // It keeps nobody from anything else.
    scene.registry.addImage('other', older, ['1.0']);
    expect((await scene.get(`other/${path.slice(path.indexOf('/') + 1)}`)).status).toBe(200);
  });
});
