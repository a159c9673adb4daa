import { describe, expect, it } from 'vitest';
import { content, plain, ScriptedUpstream } from '../../fakes/scripted-upstream.js';
import { makeImage } from '../../fixtures/images.js';
import { Mirror } from '../support/mirror.js';
import { AdminAddress } from './support.js';

const [first, second] = [makeImage({ seed: 'first' }).manifest, makeImage({ seed: 'second' }).manifest];
const scriptOf = ({ body, mediaType, digest }: typeof first) =>
  content(body, { headers: { 'content-type': mediaType, 'docker-content-digest': digest } });

async function start() {
  const upstream = await ScriptedUpstream.start();
  for (const each of [first, second]) upstream.on('*', `/v2/app/manifests/${each.digest}`, scriptOf(each));
  const name = (...script: Parameters<ScriptedUpstream['on']> extends [unknown, unknown, ...infer S] ? S : never) =>
    upstream.on('*', '/v2/app/manifests/1.0', ...script);
  const mirror = await Mirror.start({
    upstreams: [{ namespace: 'registry.test', host: upstream.host }],
    hosted: [{ namespace: 'local' }],
  });
  const admin = await AdminAddress.open({ mirror });
  const pull = async () => {
    const { status, headers } = await mirror.request.get('/v2/registry.test/app/manifests/1.0');
    const { 'x-cache': cache, 'docker-content-digest': digest } = headers as Record<string, string>;
    return { status, cache, digest };
  };
  const refresh = (path = 'registry.test/app/manifests/1.0') => admin.request.post(`/_admin/${path}`);
  return {
    upstream,
    name,
    pull,
    refresh,
    async [Symbol.asyncDispose]() {
      await admin[Symbol.asyncDispose]();
      await mirror[Symbol.asyncDispose]();
      await upstream.close();
    },
  };
}

describe('POST /_admin/<image>/manifests/<tag>', () => {
  it('asks the upstream about a fresh tag, and says what it named before', async () => {
    await using scene = await start();
    scene.name(scriptOf(first));
    expect((await scene.refresh().expect(200)).body).toEqual({
      refreshed: 'registry.test/app:1.0',
      digest: first.digest,
    });
    expect(await scene.pull()).toMatchObject({ cache: 'HIT', digest: first.digest });
    expect((await scene.refresh().expect(200)).body).toMatchObject({ digest: first.digest, before: first.digest });
    expect(scene.upstream.requests.at(-1)).toMatchObject({ method: 'HEAD' });
    scene.name(scriptOf(second));
    expect((await scene.refresh().expect(200)).body).toMatchObject({ digest: second.digest, before: first.digest });
    expect(await scene.pull()).toMatchObject({ cache: 'HIT', digest: second.digest });
  });

  it('reports an outage, and leaves what is stored', async () => {
    await using scene = await start();
    scene.name(scriptOf(first));
    await scene.pull();
    scene.name(plain(500));
    expect((await scene.refresh()).status).toBe(503);
    expect(await scene.pull()).toMatchObject({ status: 200, digest: first.digest });
  });

  it('passes on a refusal, and asks again in spite of one that is remembered', async () => {
    await using scene = await start();
    scene.name(plain(404));
    expect((await scene.pull()).status).toBe(404);
    scene.name(scriptOf(first));
    expect((await scene.pull()).status).toBe(404);
    await scene.refresh().expect(200);
    expect(await scene.pull()).toMatchObject({ status: 200, cache: 'HIT' });
    scene.name(plain(404));
    await scene.refresh().expect(404);
    expect((await scene.pull()).status).toBe(404);
  });

  it('refuses digests, hosted tags and names that are none', async () => {
    await using scene = await start();
    expect((await scene.refresh(`registry.test/app/manifests/${first.digest}`)).status).toBe(405);
    expect((await scene.refresh('local/app/manifests/1.0')).status).toBe(405);
    expect((await scene.refresh('registry.test/UPPER/manifests/1.0')).status).toBe(400);
    expect(scene.upstream.requests).toEqual([]);
  });
});
