import { describe, expect, it } from 'vitest';
import { newer, older, Scene } from './support/scene.js';

const tag = 'app/manifests/1.0';
const [oldDigest, newDigest] = [older.manifest.digest, newer.manifest.digest];

/** The registry names a manifest that it does not have yet: 404 to GETs by these references. */
function lag(scene: Scene, references: readonly string[]): void {
  scene.registry.behaviour.before = ({ kind, method, reference }, response) => {
    if (kind !== 'manifest' || method !== 'GET' || !references.includes(reference ?? '')) return;
    response.writeHead(404, { 'content-length': 0 }).end();
  };
}

describe('a tag that moved to a manifest that GET does not find yet', () => {
  it('is served by a GET of the tag', async () => {
    await using scene = await Scene.withTag();
    scene.registry.addImage('app', newer, ['1.0']);
    lag(scene, [newDigest]);
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'MISS', digest: newDigest });
    expect(scene.asked()).toEqual(['HEAD manifest 1.0', `GET manifest ${newDigest}`, 'GET manifest 1.0']);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'HIT', digest: newDigest });
  });

  it('stays what it was, stale, when that is not found either, and through an outage', async () => {
    await using scene = await Scene.withTag();
    scene.registry.addImage('app', newer, ['1.0']);
    lag(scene, [newDigest, '1.0']);
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', digest: oldDigest });
    await scene.registry.stop();
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', digest: oldDigest });
    await scene.registry.restart();
    lag(scene, []);
    scene.clock.pass(60);
    expect(await scene.see(tag)).toMatchObject({ status: 200, digest: newDigest });
  });

  it('is served by a GET of the tag when a HEAD has made it known', async () => {
    await using scene = await Scene.set();
    scene.registry.addImage('app', newer, ['1.0']);
    lag(scene, [newDigest]);
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 200, digest: newDigest });
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'MISS', digest: newDigest });
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'HIT', digest: newDigest });
  });

  it('is 404 as ever when the registry has no such tag any more', async () => {
    await using scene = await Scene.withTag();
    scene.registry.deleteTag('app', '1.0');
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
  });
});
