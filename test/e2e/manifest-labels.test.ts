import { describe, expect, it } from 'vitest';
import { blobOf, fixtureMediaTypes as types, makeBlob, type FixtureManifest } from '../fixtures/images.js';
import { warm, AdminAddress, ends } from './admin/support.js';
import { Stage } from './support/stage.js';

const layer = { mediaType: types.ociLayer, digest: makeBlob(10, 'layer').digest, size: 10 };
const image = { schemaVersion: 2, config: { ...layer, mediaType: types.ociConfig }, layers: [layer] };
const index = { schemaVersion: 2, manifests: [] };
const oras = 'application/vnd.cncf.oras.artifact.manifest.v1+json';

const labelled = (document: object, label: string): FixtureManifest => ({
  ...blobOf(Buffer.from(JSON.stringify(document))),
  mediaType: label,
});

/** What registries have been seen to send: a document, the Content-Type that it came with, and what clients need. */
const cases = [
  {
    what: 'an OCI index labelled as a Docker list (Harbor, Artifactory)',
    of: { ...index, mediaType: types.ociIndex },
    label: types.dockerList,
    type: types.ociIndex,
  },
  {
    what: 'a Docker image labelled as an OCI image',
    of: { ...image, mediaType: types.dockerManifest },
    label: types.ociManifest,
    type: types.dockerManifest,
  },
  {
    what: 'an image labelled as an index',
    of: { ...image, mediaType: types.ociManifest },
    label: types.ociIndex,
    type: types.ociManifest,
  },
  { what: 'an ORAS artifact', of: { mediaType: oras, blobs: [layer] }, label: oras, type: oras },
  {
    what: 'an index as binary data',
    of: { ...index, mediaType: types.ociIndex },
    label: 'application/octet-stream',
    type: types.ociIndex,
  },
  {
    what: 'an image that states no type as binary data',
    of: image,
    label: 'application/octet-stream',
    type: types.ociManifest,
  },
  { what: 'layers that are null', of: { ...image, layers: null }, label: types.ociManifest, type: types.ociManifest },
  { what: 'an image as text', of: image, label: 'text/plain; charset=utf-8', type: types.ociManifest },
];

describe('a manifest whose label is wrong, foreign or absent', () => {
  for (const { what, of, label, type } of cases) {
    it(`is served by its own media type: ${what}`, async () => {
      await using stage = await Stage.start({
        registry: { strictAccept: !['application/octet-stream', 'text/plain'].some((type) => label.startsWith(type)) },
      });
      const manifest = labelled(of, label);
      stage.registry.addManifest('team/app', manifest);
      stage.registry.setTag('team/app', '1', manifest.digest);
      for (const reference of ['1', manifest.digest]) {
        const reply = await stage.get(`team/app/manifests/${reference}`);
        expect([reply.status, reply.headers['content-type'], reply.body.equals(manifest.body)]).toEqual([
          200,
          type,
          true,
        ]);
      }
      await stage.mirror.settled();
      await stage.registry.stop();
      for (const reference of ['1', manifest.digest]) {
        const { status, headers } = await stage.head(`team/app/manifests/${reference}`);
        expect([status, headers['content-type'], headers['content-length']]).toEqual([
          200,
          type,
          String(manifest.body.length),
        ]);
      }
    });
  }

  it.each([
    ['a page for people', '<html></html>', types.ociManifest],
    ['a list', '[]', types.ociManifest],
  ])('is a fault of the upstream when it is no JSON object: %s', async (_, body, label) => {
    await using stage = await Stage.start();
    const manifest = { ...blobOf(Buffer.from(body)), mediaType: label };
    stage.registry.addManifest('team/app', manifest);
    expect((await stage.get(`team/app/manifests/${manifest.digest}`)).status).toBe(502);
  });

  it('is warmed when it is a cache that BuildKit exported as an index of blobs', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    const blobs = [makeBlob(1000, 'cached layer'), blobOf(Buffer.from('{"layers":[]}'))] as const;
    const mediaTypes = [types.ociLayer, 'application/vnd.buildkit.cacheconfig.v0'];
    const manifests = blobs.map(({ digest, body }, at) => ({ mediaType: mediaTypes[at], digest, size: body.length }));
    const cache = labelled({ schemaVersion: 2, mediaType: types.ociIndex, manifests }, types.ociIndex);
    stage.registry.addManifest('team/app', cache);
    stage.registry.setTag('team/app', 'buildcache', cache.digest);
    for (const blob of blobs) stage.registry.addBlob('team/app', blob);
    const { events } = await warm(admin.url, { images: ['registry.test/team/app:buildcache'] });
    expect(ends(events)).toMatchObject([{ state: 'done', blobs: { done: 2, total: 2 } }]);
  });
});
