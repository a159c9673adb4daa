import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestOf, makeArtifact, makeBlob, makeImage, makeIndex, makeSchema1 } from '../../fixtures/images.js';

interface Document {
  config: { digest: string; size: number };
  layers: { digest: string; size: number }[];
  manifests: { digest: string; platform?: object }[];
  subject: { digest: string };
  signatures: { protected: string }[];
}

const parse = (body: Buffer): Document => JSON.parse(body.toString()) as Document;

describe('image fixtures', () => {
  it('makes the same blob for the same seed and another for another', () => {
    expect(makeBlob(100_000, 'a').digest).toBe(makeBlob(100_000, 'a').digest);
    expect(makeBlob(1000, 'a').digest).not.toBe(makeBlob(1000, 'b').digest);
    expect(makeBlob(0, 'a').digest).toMatch(/^sha256:e3b0c442/);
  });

  it.each(['sha256', 'sha512'] as const)('names everything of an image by its %s', (algorithm) => {
    const { manifest, config, layers } = makeImage({ layers: [10, 2000], mediaType: 'docker', algorithm });
    for (const { digest, body } of [manifest, config, ...layers]) {
      expect(digest).toBe(`${algorithm}:${createHash(algorithm).update(body).digest('hex')}`);
    }
    const document = parse(manifest.body);
    expect(document.config).toMatchObject({ digest: config.digest, size: config.body.length });
    expect(document.layers.map(({ size }) => size)).toEqual([10, 2000]);
    expect(document.layers.map(({ digest }) => digest)).toEqual(layers.map(({ digest }) => digest));
  });

  it('nests indexes and keeps platforms', () => {
    const image = makeImage();
    const inner = makeIndex([{ image, platform: { os: 'linux', architecture: 'arm64' } }], { mediaType: 'docker' });
    const outer = makeIndex([{ image: inner }]);
    expect(parse(inner.manifest.body).manifests[0]).toMatchObject({
      digest: image.manifest.digest,
      platform: { architecture: 'arm64' },
    });
    expect(parse(outer.manifest.body).manifests[0]?.digest).toBe(inner.manifest.digest);
    expect(outer.children).toEqual([inner]);
  });

  it('signs schema 1 the way libtrust does: the digest is over what remains without the signatures', () => {
    const { manifest, payload } = makeSchema1('library/old', 'v1');
    const claims = parse(manifest.body).signatures[0]?.protected ?? '';
    const { formatLength, formatTail } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
      formatLength: number;
      formatTail: string;
    };
    const rebuilt = Buffer.concat([manifest.body.subarray(0, formatLength), Buffer.from(formatTail, 'base64url')]);
    expect(rebuilt).toEqual(payload);
    expect(digestOf(rebuilt)).toBe(manifest.digest);
    expect(digestOf(manifest.body)).not.toBe(manifest.digest);
  });

  it('lets an artifact name its subject', () => {
    const image = makeImage();
    expect(parse(makeArtifact(image).manifest.body).subject.digest).toBe(image.manifest.digest);
  });
});
