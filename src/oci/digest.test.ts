import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Digest } from './digest.js';

const algorithm = fc.constantFrom('sha256' as const, 'sha512' as const);
const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe('Digest', () => {
  it('is parsed from what it prints as', () => {
    fc.assert(
      fc.property(fc.uint8Array(), algorithm, (content, name) => {
        const digest = Digest.of(content, name);
        const parsed = Digest.parse(digest.toString());
        expect(parsed.equals(digest)).toBe(true);
        expect(parsed.algorithm).toBe(name);
        expect(JSON.stringify({ digest })).toBe(`{"digest":"${digest.toString()}"}`);
      }),
    );
  });

  it('is that of the content', () => {
    expect(Digest.of(Buffer.alloc(0)).toString()).toBe(`sha256:${empty}`);
    expect(Digest.of(Buffer.from('abc'), 'sha512').hex).toBe(createHash('sha512').update('abc').digest('hex'));
  });

  const wrong = {
    'no text': '',
    'the algorithm alone': 'sha256',
    'an empty hash': 'sha256:',
    'the hash alone': empty,
    'a hash that is too short': `sha256:${empty.slice(1)}`,
    'a hash that is too long': `sha256:${empty}0`,
    'the length of the other algorithm': `sha512:${empty}`,
    'upper-case digits': `sha256:${empty.toUpperCase()}`,
    'an upper-case algorithm': `SHA256:${empty}`,
    'no hexadecimal digits': `sha256:${'g'.repeat(64)}`,
    'a path': `sha256:${'../'.repeat(21)}a`,
    'a third part': `sha256:${empty}:`,
    'an unknown algorithm': `md5:d41d8cd98f00b204e9800998ecf8427e`,
    'the name of an inherited property': `constructor:${empty}`,
    'a prototype': `__proto__:${empty}`,
    'a trailing line feed': `sha256:${empty}\n`,
    'a leading space': ` sha256:${empty}`,
    'another separator': `sha256-${empty}`,
    'a mebibyte': `sha256:${'0'.repeat(1024 * 1024)}`,
  };
  for (const [what, text] of Object.entries(wrong)) {
    it(`is not ${what}`, () => {
      expect(Digest.find(text)).toBeUndefined();
      expect(() => Digest.parse(text)).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID', status: 400 }));
    });
  }

  it('is exactly the grammar, whatever the text', () => {
    const grammar = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
    const hash = fc.stringMatching(/^(?:sha256|sha512|sha384)[:-][0-9a-fA-F]{62,130}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), hash), (text) => (Digest.find(text) !== undefined) === grammar.test(text)),
    );
  });

  it('knows when a hash has arrived at it, and leaves the hash usable', () => {
    const digest = Digest.of(Buffer.from('abc'), 'sha512');
    const hash = digest.hasher().update('ab');
    expect(digest.matches(hash)).toBe(false);
    expect(digest.matches(hash.update('c'))).toBe(true);
    expect(digest.matches(hash.update('d'))).toBe(false);
  });

  it('differs from that of another algorithm and of other content', () => {
    const content = Buffer.from('abc');
    expect(Digest.of(content).equals(Digest.of(content, 'sha512'))).toBe(false);
    expect(Digest.of(content).equals(Digest.of(Buffer.from('abd')))).toBe(false);
    expect(Digest.of(content).equals(Digest.of(content))).toBe(true);
  });
});
