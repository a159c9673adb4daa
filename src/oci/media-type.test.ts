import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptManifests, isManifestMediaType, isSchema1, manifestMediaTypes, parseMediaType } from './media-type.js';

describe('parseMediaType', () => {
  const essences = {
    'application/json': 'application/json',
    'Application/JSON': 'application/json',
    ' application/json ; charset=utf-8': 'application/json',
    'application/json;charset="a;b"': 'application/json',
    [manifestMediaTypes.ociIndex]: manifestMediaTypes.ociIndex,
    'text/html; charset=utf-8': 'text/html',
  };
  for (const [header, essence] of Object.entries(essences)) {
    it(`reads ${header}`, () => expect(parseMediaType(header)).toBe(essence));
  }

  for (const header of ['', ';', 'json', 'a/', '/a', 'a/b/c', 'a b/c', 'a/b, c/d', 'a/b\nc', '*', 'a/"b"', 'ä/b']) {
    it(`reads nothing in ${JSON.stringify(header)}`, () => expect(parseMediaType(header)).toBeUndefined());
  }

  it('reads nothing where there is no header', () => expect(parseMediaType(undefined)).toBeUndefined());

  it('never throws, and reads what it has read again', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (header) => {
        const essence = parseMediaType(header);
        expect(parseMediaType(essence)).toBe(essence);
      }),
    );
  });
});

describe('manifest media types', () => {
  it('are all offered to upstreams, and anything else at the end', () => {
    const offered = acceptManifests.split(', ');
    for (const mediaType of Object.values(manifestMediaTypes)) expect(offered).toContain(mediaType);
    expect(offered.at(-1)).toBe('*/*;q=0.1');
  });

  it('are those and no others', () => {
    for (const mediaType of Object.values(manifestMediaTypes)) expect(isManifestMediaType(mediaType)).toBe(true);
    for (const mediaType of ['application/json', 'text/html', 'application/octet-stream', '', 'constructor']) {
      expect(isManifestMediaType(mediaType)).toBe(false);
    }
  });

  it('of schema 1 are the signed and the unsigned one', () => {
    const schema1 = Object.values(manifestMediaTypes).filter(isSchema1);
    expect(schema1).toEqual([manifestMediaTypes.dockerSchema1Signed, manifestMediaTypes.dockerSchema1]);
  });
});
