import { describe, expect, it } from 'vitest';
import { EndpointSettings } from '../../src/config/upstream.settings.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import type { Reply } from '../fakes/request.js';
import { makeArtifact } from '../fixtures/images.js';
import { newer, older, Scene, type SceneOptions } from './support/scene.js';

const prefix = 'hidden-project/hidden-key';
const artifact = makeArtifact(older);
const tags = ['1.0', '2.0', '3.0'];

async function withPrefix(options: SceneOptions = {}): Promise<Scene> {
  const scene = await Scene.set({ ...options, upstream: { ...options.upstream, pathPrefix: prefix } });
  scene.registry.addImage(`${prefix}/app`, older, tags);
  scene.registry.addImage(`${prefix}/app`, artifact);
  scene.registry.addImage('app', newer, ['1.0']);
  return scene;
}

const textOf = ({ headers, body }: Reply) => JSON.stringify(headers) + body.toString('latin1');

describe('an upstream below a path', () => {
  it('is asked below it for everything, and for tokens of it', async () => {
    await using scene = await withPrefix({ registry: { auth: 'bearer' } });
    const manifest = await scene.get('app/manifests/1.0');
    expect([manifest.status, manifest.headers['docker-content-digest']]).toEqual([200, older.manifest.digest]);
    expect(await scene.see('app/manifests/2.0', 'HEAD')).toMatchObject({ status: 200, digest: older.manifest.digest });
    for (const { digest } of [older.config, ...older.layers]) {
      expect(await scene.see(`app/blobs/${digest}`, 'HEAD')).toMatchObject({ status: 200 });
      expect(await scene.see(`app/blobs/${digest}`)).toMatchObject({ status: 200 });
    }
    expect(await scene.see(`app/referrers/${older.manifest.digest}`)).toMatchObject({ status: 200 });
    const repositories = new Set(scene.registry.requests.map(({ repository }) => repository));
    repositories.delete(undefined);
    expect([...repositories]).toEqual([`${prefix}/app`]);
    const scopes = scene.registry
      .select({ kind: 'token' })
      .map(({ url }) => new URL(url, 'http://x').searchParams.get('scope'));
    expect(new Set(scopes)).toEqual(new Set([`repository:${prefix}/app:pull`]));
  });

  it('lists tags and links to more of them without it', async () => {
    await using scene = await withPrefix({ registry: { tags: { pageSize: 2 } } });
    const first = await scene.get('app/tags/list');
    expect(JSON.parse(first.body.toString())).toEqual({ name: 'app', tags: ['1.0', '2.0'] });
    const [, next = ''] = /^<(.*)>; rel="next"$/.exec(String(first.headers.link)) ?? [];
    expect(next).toMatch(/^\/v2\/registry\.test\/app\/tags\/list\?/);
    const second = await scene.get(next.replace('/v2/registry.test/', ''));
    expect(JSON.parse(second.body.toString())).toEqual({ name: 'app', tags: ['3.0'] });
  });

  it('does not let clients see it: not in content, refusals, failures or redirects', async () => {
    await using scene = await withPrefix({ registry: { redirectBlobs: 307, auth: 'bearer' } });
    const { redirectHosts } = scene.registry.otherPorts;
    await scene.restart({ redirectHosts, pathPrefix: prefix });
    const paths = [
      'app/manifests/1.0',
      'app/manifests/absent',
      `app/blobs/${older.config.digest}`,
      'app/tags/list?n=1',
      'absent/tags/list',
      `app/referrers/${older.manifest.digest}`,
    ];
    const see = async () => {
      for (const path of paths)
        for (const method of ['GET', 'HEAD'] as const)
          expect(textOf(await scene.get(path, { method }))).not.toContain('hidden');
    };
    await see();
    for (const status of [401, 403, 404, 405, 429, 500, 503]) {
      await scene.restartEmpty();
      scene.registry.behaviour.outage = { status };
      for (let count = 0; count < 4; count += 1) await see();
    }
  });

  it('is another source than the registry without it, or with another one', async () => {
    await using scene = await withPrefix();
    const layer = older.layers[0]!;
    expect(await scene.see(`app/blobs/${layer.digest}`)).toMatchObject({ status: 200 });
    await scene.mirror.settled();
    expect(scene.registry.count({ kind: 'blob', method: 'GET' })).toBe(1);
    await scene.restart({ pathPrefix: 'another' });
    expect(await scene.see(`other/blobs/${layer.digest}`)).toMatchObject({ status: 404 });
  });

  it('has fallback hosts with paths of their own', async () => {
    await using fallback = await FakeRegistry.start();
    fallback.addImage('copies/app', older, ['1.0']);
    const host = Object.assign(new EndpointSettings(), { host: fallback.host, tls: false, pathPrefix: 'copies' });
    await using scene = await withPrefix({ upstream: { fallbackHosts: [host] } });
    await scene.registry.stop();
    expect(await scene.see('app/manifests/1.0')).toMatchObject({ status: 200, digest: older.manifest.digest });
    expect(fallback.requests.map(({ repository }) => repository)).toEqual(['copies/app']);
  });
});
