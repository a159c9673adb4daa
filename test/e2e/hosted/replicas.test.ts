import { expect, it } from 'vitest';
import { manifestMediaTypes } from '../../../src/oci/media-type.js';
import { OpenSessions } from '../../../src/registry/hosted/open.sessions.js';
import { app, bodyOf, descriptor, digestOf, HostedRegistry, image, refusal, tag } from './support/registry.js';

const server = { advertiseUrl: 'http://127.0.0.1:1' };

it('what one replica takes or deletes is so at the other with its next request', async () => {
  await using one = await HostedRegistry.start({ immutableTags: ['v*'] }, { server });
  const { root } = one.mirror;
  await using other = await HostedRegistry.start({ immutableTags: ['v*'] }, { root, server });
  const first = await one.pushImage('latest', 'one');
  expect((await other.get('latest')).body.equals(first)).toBe(true);
  const second = await other.pushImage('latest', 'two');
  expect((await one.get('latest')).body.equals(second)).toBe(true);
  expect((await one.listTags()).tags).toEqual(['latest']);
  const signature = image([], { subject: descriptor(second, manifestMediaTypes.ociManifest) });
  await one.put(digestOf(signature), signature);
  expect((await other.listReferrers(digestOf(second))).manifests).toHaveLength(1);
  await other.manifests.delete(app, digestOf(signature));
  expect((await one.listReferrers(digestOf(second))).manifests).toEqual([]);
  await one.manifests.delete(app, tag('latest'));
  expect(await refusal(other.get('latest'))).toBe('404 MANIFEST_UNKNOWN');
  expect(await refusal(other.get(digestOf(first)))).toBe('none');
  await other.manifests.delete(app, digestOf(first));
  expect(await refusal(one.get(digestOf(first)))).toBe('404 MANIFEST_UNKNOWN');
  await other.blobs.delete(app, digestOf('one'));
  expect(await refusal(one.readBlob(digestOf('one')))).toBe('404 BLOB_UNKNOWN');
});

it('an upload goes on at whatever replica its next request reaches', async () => {
  await using one = await HostedRegistry.start({}, { server });
  await using other = await HostedRegistry.start({}, { root: one.mirror.root, server });
  const chunks = Array.from({ length: 6 }, (_, at) => Buffer.alloc(10_000, `chunk ${at} `));
  let { id, epoch, size } = await one.uploads.begin(app);
  for (const [at, chunk] of chunks.entries()) {
    const replica = at % 2 === 0 ? other : one;
    expect(await replica.uploads.status(app, id, epoch)).toMatchObject({ size });
    ({ id, epoch, size } = await replica.uploads.append(
      app,
      id,
      epoch,
      { start: size, end: size + chunk.length - 1 },
      bodyOf(chunk),
    ));
  }
  const content = Buffer.concat(chunks);
  await other.uploads.complete(app, id, epoch, digestOf(content), undefined, bodyOf());
  expect((await one.readBlob(digestOf(content))).equals(content)).toBe(true);
  // Each kept the session for a request that went to the other.
  for (const replica of [one, other]) await replica.mirror.app.get(OpenSessions).onApplicationShutdown();
});

it('a tag is created or moved by one of many clients of several replicas', async () => {
  await using one = await HostedRegistry.start({ immutableTags: ['v*'] }, { server });
  await using other = await HostedRegistry.start({ immutableTags: ['v*'] }, { root: one.mirror.root, server });
  const first = await one.pushImage('latest');
  const bodies = Array.from({ length: 8 }, (_, at) => image([], { 'x-at': at }));
  const race = async (name: string, conditions: { ifMatch?: string } = {}) => {
    const puts = bodies.map((body, at) => refusal((at % 2 === 0 ? one : other).put(name, body, conditions)));
    return (await Promise.all(puts)).filter((result) => result === 'none').length;
  };
  expect(await race('v1')).toBe(1);
  expect(await race('latest', { ifMatch: `"${digestOf(first).toString()}"` })).toBe(1);
});
