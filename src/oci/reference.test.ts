import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Digest } from './digest.js';
import { parseReference, Tag } from './reference.js';

describe('Tag', () => {
  for (const name of ['latest', 'v1.2.3-rc_1', 'A', '_', '0', 'a'.repeat(128), 'sha256-abc.sig', '1__2--3..4']) {
    it(`may be ${name.slice(0, 40)}`, () => {
      expect(Tag.parse(name).toString()).toBe(name);
    });
  }

  const wrong = [
    '',
    '.',
    '-a',
    '.a',
    'a/b',
    'a b',
    'a\n',
    'a\0',
    'a@b',
    'a+b',
    'é',
    '%61',
    '..',
    'a'.repeat(129),
    'a:b',
  ];
  for (const name of wrong) {
    it(`may not be ${JSON.stringify(name.slice(0, 20))} of ${name.length} characters`, () => {
      expect(() => Tag.parse(name)).toThrow(expect.objectContaining({ code: 'TAG_INVALID', status: 400 }));
    });
  }

  it('is exactly the grammar of the specification', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'aZ0._-:/'.split('')), maxLength: 130 }));
    fc.assert(
      fc.property(text, (name) => {
        let taken = true;
        try {
          Tag.parse(name);
        } catch {
          taken = false;
        }
        expect(taken).toBe(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/.test(name));
      }),
    );
  });
});

describe('parseReference', () => {
  it('tells tags and digests apart', () => {
    const digest = Digest.of(Buffer.from('x'));
    expect(parseReference('latest')).toBeInstanceOf(Tag);
    expect(parseReference(digest.hex)).toBeInstanceOf(Tag);
    expect(parseReference(digest.toString())).toBeInstanceOf(Digest);
    expect(parseReference(digest.toString()).toString()).toBe(digest.toString());
  });

  it('blames the digest for what has a colon and the tag for the rest', () => {
    for (const text of ['sha256:abc', 'md5:d41d8cd9', ':', 'latest:', 'a:b:c']) {
      expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
    }
    for (const text of ['', 'a/b', '-', 'a'.repeat(200)]) {
      expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'TAG_INVALID' }));
    }
  });
});
