import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeSchema1 } from '../../test/fixtures/schema1.js';
import { Digest } from './digest.js';
import { ManifestError, parseManifest } from './manifest.js';
import { manifestMediaTypes as types, parseMediaType } from './media-type.js';

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const digest = Digest.of(Buffer.from('x')).toString();
const image = { schemaVersion: 2, config: { digest, size: 1 }, layers: [{ digest, size: 1 }] };
const index = { schemaVersion: 2, manifests: [{ digest, size: 1 }] };
const oras = 'application/vnd.cncf.oras.artifact.manifest.v1+json';
const parse = (value: unknown, contentType?: string) => parseManifest(json(value), contentType, 'sha256');

describe('parseManifest', () => {
  it('keeps the bytes as they came and names them by their digest', () => {
    const body = Buffer.from(`  ${JSON.stringify(image, null, 3)}\n\n`);
    const manifest = parseManifest(body, types.ociManifest, 'sha256');
    expect(manifest.body).toBe(body);
    expect(manifest.digest.equals(Digest.of(body))).toBe(true);
    expect(manifest.storable).toBe(true);
    expect(parseManifest(body, types.ociManifest, 'sha512').digest.equals(Digest.of(body, 'sha512'))).toBe(true);
  });

  const accepted = [
    { what: 'an OCI image', of: image, as: types.ociManifest, type: types.ociManifest },
    { what: 'an OCI index', of: index, as: types.ociIndex, type: types.ociIndex },
    { what: 'a Docker image', of: image, as: types.dockerManifest, type: types.dockerManifest },
    { what: 'a Docker list', of: index, as: types.dockerList, type: types.dockerList },
    { what: 'parameters of the type', of: index, as: `${types.ociIndex}; charset=utf-8`, type: types.ociIndex },
    { what: 'an upper-case type', of: index, as: types.ociIndex.toUpperCase(), type: types.ociIndex },
    {
      what: 'a type that the document repeats',
      of: { ...image, mediaType: types.ociManifest },
      as: types.ociManifest,
      type: types.ociManifest,
    },
    {
      what: 'a type that only the document states',
      of: { ...image, mediaType: types.dockerManifest },
      as: 'text/plain',
      type: types.dockerManifest,
    },
    {
      what: 'no Content-Type but a stated type',
      of: { ...index, mediaType: types.ociIndex },
      as: undefined,
      type: types.ociIndex,
    },
    { what: 'an image as plain JSON', of: image, as: 'application/json', type: types.ociManifest },
    { what: 'an index as plain JSON', of: index, as: 'application/json; charset=utf-8', type: types.ociIndex },
    {
      what: 'an artifact',
      of: { mediaType: types.ociArtifact, blobs: [] },
      as: types.ociArtifact,
      type: types.ociArtifact,
    },
    { what: 'an empty index', of: { schemaVersion: 2, manifests: [] }, as: types.ociIndex, type: types.ociIndex },
    { what: 'an image as text that states no type', of: image, as: 'text/plain', type: types.ociManifest },
    { what: 'an image without any type', of: image, as: undefined, type: types.ociManifest },
    { what: 'an image as a picture', of: image, as: 'image/png', type: types.ociManifest },
    { what: 'an image as binary data', of: image, as: 'application/octet-stream', type: types.ociManifest },
    { what: 'layers that are null', of: { ...image, layers: null }, as: 'application/json', type: types.ociManifest },
    {
      what: 'an image with manifests that are null',
      of: { ...image, manifests: null },
      as: types.ociManifest,
      type: types.ociManifest,
    },
    {
      what: 'an OCI index labelled as a Docker list',
      of: { ...index, mediaType: types.ociIndex },
      as: types.dockerList,
      type: types.ociIndex,
    },
    {
      what: 'a Docker image labelled as an OCI image',
      of: { ...image, mediaType: types.dockerManifest },
      as: types.ociManifest,
      type: types.dockerManifest,
    },
    {
      what: 'a stated type as binary data',
      of: { ...index, mediaType: types.dockerList },
      as: 'application/octet-stream',
      type: types.dockerList,
    },
    { what: 'an ORAS artifact', of: { mediaType: oras, blobs: [] }, as: oras, type: oras },
    { what: 'an ORAS artifact without a label', of: { mediaType: oras, blobs: [] }, as: undefined, type: oras },
    {
      what: 'a type of its own',
      of: { mediaType: 'application/vnd.acme+json' },
      as: 'application/vnd.acme+json',
      type: 'application/vnd.acme+json',
    },
  ];
  for (const { what, of, as, type } of accepted) {
    it(`takes ${what}`, () => expect(parse(of, as).mediaType).toBe(type));
  }

  const refused = [
    { what: 'no content', body: '', as: types.ociManifest },
    { what: 'HTML with the right type', body: '<!DOCTYPE html><title>Sign in</title>', as: types.ociManifest },
    { what: 'HTML', body: '<html></html>', as: 'text/html' },
    { what: 'cut JSON', body: JSON.stringify(image).slice(0, -1), as: types.ociManifest },
    { what: 'two documents', body: '{}{}', as: types.ociManifest },
    { what: 'a list', body: '[]', as: types.ociManifest },
    { what: 'null', body: 'null', as: types.ociManifest },
    { what: 'a number', body: '7', as: types.ociManifest },
    { what: 'a text', body: '"manifest"', as: types.ociManifest },
    { what: 'an error document', body: '{"errors":[{"code":"DENIED"}]}', as: 'application/json' },
    { what: 'a layer', body: '\u001f\u008b', as: 'application/octet-stream' },
    {
      what: 'layers that are no list as plain JSON',
      body: '{"schemaVersion":2,"config":{},"layers":{}}',
      as: 'application/json',
    },
  ];
  for (const { what, body, as } of refused) {
    it(`refuses ${what}`, () => {
      expect(() => parseManifest(Buffer.from(body), as, 'sha256')).toThrow(ManifestError);
    });
  }

  it('takes a JSON object that says nothing of itself by the digest that it is known by, and only then', () => {
    const body = json({ anything: 1 });
    const { mediaType } = parseManifest(body, 'text/html', 'sha256', Digest.of(body));
    expect(mediaType).toBe('application/json');
    expect(parseManifest(body, 'application/vnd.acme+json', 'sha256', Digest.of(body)).mediaType).toBe(
      'application/vnd.acme+json',
    );
    expect(parseManifest(body, undefined, 'sha256', Digest.of(body)).mediaType).toBe('application/json');
    expect(() => parseManifest(body, undefined, 'sha256', Digest.of(json({})))).toThrow(ManifestError);
    expect(() => parseManifest(Buffer.from('[]'), undefined, 'sha256', Digest.of(Buffer.from('[]')))).toThrow(
      ManifestError,
    );
  });

  const ambiguous = [
    { what: 'manifests and layers', of: { ...image, ...index }, as: types.ociManifest },
    { what: 'manifests and layers as an index', of: { ...image, ...index }, as: types.ociIndex },
    { what: 'manifests and a config', of: { ...index, config: {} }, as: types.ociIndex },
    { what: 'manifests and fsLayers', of: { ...index, fsLayers: [] }, as: types.dockerSchema1 },
    { what: 'an index as an image', of: index, as: types.ociManifest },
    { what: 'an image as an index', of: image, as: types.ociIndex },
    { what: 'an image as a Docker list', of: image, as: types.dockerList },
    {
      what: 'an index that states to be an image',
      of: { ...index, mediaType: types.ociManifest },
      as: 'application/json',
    },
    { what: 'two types', of: { ...image, mediaType: types.ociIndex }, as: types.ociManifest },
  ];
  for (const { what, of, as } of ambiguous) {
    it(`refuses what could be read as two kinds: ${what} (CVE-2021-41190)`, () => {
      expect(() => parse(of, as)).toThrow(ManifestError);
    });
  }

  it('reads the subject, and only one that is a digest', () => {
    expect(parse({ ...image, subject: { digest } }, types.ociManifest).subject?.toString()).toBe(digest);
    for (const subject of [null, 7, 'text', [], {}, { digest: 7 }, { digest: 'sha256:abc' }, { digest: '../..' }]) {
      expect(parse({ ...image, subject }, types.ociManifest)).not.toHaveProperty('subject');
    }
  });

  it('is not misled by fields that every object inherits', () => {
    const body = Buffer.from(
      `{"__proto__":{"manifests":[],"layers":[]},"constructor":1,"schemaVersion":2,"manifests":[]}`,
    );
    expect(parseManifest(body, types.ociIndex, 'sha256').mediaType).toBe(types.ociIndex);
  });

  it('refuses nesting deeper than 64 levels, as deep as 4 MiB allow', () => {
    const nested = (depth: number) => Buffer.from(`{"manifests":[],"a":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    const body = nested(63);
    expect(parseManifest(body, types.ociIndex, 'sha256').digest.equals(Digest.of(body))).toBe(true);
    for (const depth of [64, 2_000_000]) {
      expect(() => parseManifest(nested(depth), types.ociIndex, 'sha256')).toThrow(ManifestError);
    }
  });

  it('refuses a field that decides what it is when it is there twice', () => {
    const body = Buffer.from(
      `{"schemaVersion":2,"mediaType":"${types.ociIndex}","manifests":[],"\\u006danifests":[{}]}`,
    );
    expect(() => parseManifest(body, types.ociIndex, 'sha256')).toThrow('the document has the field manifests twice');
  });

  it('throws nothing but ManifestError, whatever the bytes, the document and the type', () => {
    const fields = fc.constantFrom(
      'manifests',
      'layers',
      'config',
      'mediaType',
      'subject',
      'signatures',
      'schemaVersion',
    );
    const document = fc
      .dictionary(fields, fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(types))))
      .map(json);
    const contentType = fc.option(fc.oneof(fc.constantFrom(...Object.values(types)), fc.string()), { nil: undefined });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array().map(Buffer.from), document), contentType, (body, sent) => {
        try {
          const manifest = parseManifest(body, sent, 'sha256');
          expect(manifest.body).toBe(body);
          expect(parseMediaType(manifest.mediaType)).toBe(manifest.mediaType);
        } catch (error) {
          expect(error).toBeInstanceOf(ManifestError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('parseManifest of schema 1', () => {
  const { manifest, payload } = makeSchema1('library/busybox', 'latest');
  const signed = types.dockerSchema1Signed;

  it('names a signed document by its payload, and does not keep it', () => {
    const parsed = parseManifest(manifest.body, signed, 'sha256');
    expect(parsed.digest.toString()).toBe(manifest.digest);
    expect(parsed.digest.equals(Digest.of(payload))).toBe(true);
    expect(parsed.digest.equals(Digest.of(manifest.body))).toBe(false);
    expect(parsed.storable).toBe(false);
    expect(parsed.body).toBe(manifest.body);
    expect(parseManifest(manifest.body, signed, 'sha512').digest.equals(Digest.of(payload, 'sha512'))).toBe(true);
  });

  it('names an unsigned document by its bytes', () => {
    const parsed = parseManifest(payload, types.dockerSchema1, 'sha256');
    expect(parsed.digest.equals(Digest.of(payload))).toBe(true);
    expect(parsed.storable).toBe(false);
    expect(
      parse({ fsLayers: [], signatures: [] }, signed).digest.equals(Digest.of(json({ fsLayers: [], signatures: [] }))),
    ).toBe(true);
  });

  const header = (claims: unknown) => json(claims).toString('base64url');
  const malformed = {
    'a signature that is no object': 'text',
    'no protected header': {},
    'a protected header that is no text': { protected: 7 },
    'a protected header that is no JSON': { protected: 'AAAA' },
    'a length beyond the document': { protected: header({ formatLength: 1_000_000, formatTail: '' }) },
    'a negative length': { protected: header({ formatLength: -1, formatTail: '' }) },
    'a length that is no whole number': { protected: header({ formatLength: 1.5, formatTail: '' }) },
    'a length that is text': { protected: header({ formatLength: '1', formatTail: '' }) },
    'no tail': { protected: header({ formatLength: 1 }) },
  };
  for (const [what, signature] of Object.entries(malformed)) {
    it(`refuses ${what}`, () => {
      expect(() => parse({ fsLayers: [], signatures: [signature] }, signed)).toThrow(ManifestError);
    });
  }
});
