import { describe, expect, it } from 'vitest';
import { FaultyStorage } from '../../chaos/support/faulty-storage.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { MovingClock } from '../support/moving-clock.js';
import { Hosting, withQuery } from './support/hosting.js';

const image = makeImage({ layers: [3_000], seed: 'full' });
const blob = makeBlob(3_000, 'full');

/** Each way in which a storage may be full: what fails, or how much it still takes. */
const faults: Record<string, (storage: FaultyStorage) => void> = {
  'for new content': (storage) => void storage.faults.set('createIngest', 'full'),
  'at the first byte': (storage) => (storage.space = 0),
  'in the middle': (storage) => (storage.space = 1_500),
  'at the commit': (storage) => void storage.faults.set('commit', 'full'),
  'for records': (storage) => void storage.faults.set('write', 'full'),
};

describe('a push to a storage that is full', () => {
  it.each(Object.keys(faults))('%s is refused as such, leaves nothing readable, and succeeds later', async (fault) => {
    await using storage = await FaultyStorage.make();
    await using hosting = await Hosting.start({ storage, root: storage.root });
    expect((await hosting.pushImage(image, 'v1')).status).toBe(201);
    const location = await hosting.begin();
    faults[fault]!(storage);
    const upload = `/v2/local/app/blobs/uploads/?digest=${blob.digest}`;
    const attempts = [
      await hosting.ask('POST', upload, { body: blob.body }),
      await hosting.ask('PUT', withQuery(location, `digest=${blob.digest}`), { body: blob.body }),
    ];
    for (const { status, body } of attempts) {
      expect([status, body.toString()]).toEqual([
        expect.toBeOneOf([404, 503, 507]),
        expect.stringContaining('"errors"'),
      ]);
    }
    expect((await hosting.ask('HEAD', `/v2/local/app/blobs/${blob.digest}`)).status).toBe(404);
    // What is stored is served all the while.
    expect((await hosting.ask('GET', '/v2/local/app/manifests/v1')).status).toBe(200);

    storage.faults.clear();
    storage.space = Infinity;
    expect((await hosting.ask('POST', upload, { body: blob.body })).status).toBe(201);
    const { body } = await hosting.ask('GET', `/v2/local/app/blobs/${blob.digest}`);
    expect(body.equals(blob.body)).toBe(true);
  });

  it('for a manifest leaves no tag', async () => {
    await using storage = await FaultyStorage.make();
    await using hosting = await Hosting.start({ storage, root: storage.root });
    for (const each of [image.config, ...image.layers]) await hosting.pushBlob(each);
    storage.faults.set('write', 'full');
    const put = () =>
      hosting.ask('PUT', '/v2/local/app/manifests/v1', {
        body: image.manifest.body,
        headers: [`content-type: ${image.manifest.mediaType}`],
      });
    expect((await put()).status).toBeGreaterThanOrEqual(500);
    expect((await hosting.ask('GET', '/v2/local/app/manifests/v1')).status).toBe(404);
    storage.faults.clear();
    expect((await put()).status).toBe(201);
  });
});

describe('an upload session', () => {
  it.each([400 * 86_400, -400 * 86_400])('goes on after the clock jumps by %s s', async (seconds) => {
    const clock = new MovingClock();
    await using hosting = await Hosting.start({ clock });
    const location = await hosting.begin();
    const patched = await hosting.ask('PATCH', location, { body: blob.body.subarray(0, 1_000) });
    clock.pass(seconds);
    const end = withQuery(patched.headers.location!, `digest=${blob.digest}`);
    expect((await hosting.ask('PUT', end, { body: blob.body.subarray(1_000) })).status).toBe(201);
    expect((await hosting.ask('HEAD', `/v2/local/app/blobs/${blob.digest}`)).status).toBe(200);
  });
});
