import { expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';

const mediaType = 'application/vnd.oci.image.index.v1+json';
const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });

it('a hosted namespace lists no tag that was cached while it was mirrored', async () => {
  await using folder = await Folder.make();
  const root = folder.path;
  {
    await using upstream = await FakeRegistry.start();
    for (const name of ['priv/secret', 'app']) upstream.addImage(name, makeImage(), ['v1', 'v3']);
    await using mirror = await Mirror.start({ root, upstreams: [{ namespace: 'r.test', host: upstream.host }] });
    for (const path of ['priv/secret/manifests/v1', 'app/manifests/v1', 'app/manifests/v3'])
      await mirror.request.get(`/v2/r.test/${path}`).expect(200);
    await mirror.settled();
  }
  const hosted = [{ namespace: 'r.test' }];
  await using mirror = await Mirror.start({ root, hosted, server: { allowAnonymousPush: true } });
  await mirror.request.get('/v2/r.test/priv/secret/tags/list').expect(404);
  await mirror.request.get('/v2/r.test/app/tags/list').expect(404);
  for (const tag of ['v2', 'v3', 'v4'])
    await mirror.request.put(`/v2/r.test/app/manifests/${tag}`).type(mediaType).send(body).expect(201);
  const tagsOf = async (query: string) =>
    ((await mirror.request.get(`/v2/r.test/app/tags/list${query}`).expect(200)).body as { tags: string[] }).tags;
  expect(await tagsOf('')).toEqual(['v2', 'v3', 'v4']);
  expect(await tagsOf('?n=2')).toEqual(['v2', 'v3']);
  expect(await tagsOf('?n=2&last=v3')).toEqual(['v4']);
});
