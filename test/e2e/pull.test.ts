import { describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { makeImage } from '../fixtures/images.js';
import { Mirror } from './support/mirror.js';

describe('a pull through the mirror', () => {
  it('fetches each part once from a registry that wants tokens, and then needs the registry no more', async () => {
    await using registry = await FakeRegistry.start({ auth: 'bearer', anonymous: false });
    const image = makeImage({ layers: [200_000, 10, 3_000_000] });
    registry.addImage('team/app', image, ['1.0']);
    await using mirror = await Mirror.start({
      upstreams: [{ namespace: 'registry.test', host: registry.host, username: 'user', password: 'planted-password' }],
    });
    const get = (path: string) =>
      mirror.request
        .get(`/v2/registry.test/team/app/${path}`)
        .buffer(true)
        .parse((response, done) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => done(null, Buffer.concat(chunks)));
        });
    for (const round of ['MISS', 'HIT']) {
      const manifest = await get('manifests/1.0').expect(200).expect('x-cache', round);
      expect(manifest.headers['docker-content-digest']).toBe(image.manifest.digest);
      expect((manifest.body as Buffer).equals(image.manifest.body)).toBe(true);
      for (const blob of [image.config, ...image.layers]) {
        const answer = await get(`blobs/${blob.digest}`).expect(200).expect('x-cache', round);
        expect((answer.body as Buffer).equals(blob.body)).toBe(true);
      }
      await mirror.settled();
      await registry.stop();
    }
    for (const blob of [image.config, ...image.layers])
      expect(registry.count({ kind: 'blob', reference: blob.digest, status: 200 })).toBe(1);
    expect(mirror.log).not.toContain('planted-');
  });
});
