import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Namespace } from './namespace.js';
import { maxNameLength, RepositoryRef } from './repository.js';

const quay = Namespace.parse('quay.io');
const dockerHub = Namespace.parse('docker.io');
/** The distribution specification's own expression, "Pulling manifests". */
const grammar = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;

describe('RepositoryRef', () => {
  for (const name of [
    'a',
    '0',
    'library/busybox',
    'a/b/c/d/e/f/g/h',
    'a.b/c_d/e__f/g-h/i---j',
    'blobs/manifests/tags/v2',
    'v2',
    'uploads',
    'a'.repeat(255),
    `${'a/'.repeat(127)}a`,
  ]) {
    it(`takes the name ${name.slice(0, 40)}`, () => {
      expect(RepositoryRef.of(quay, name).name).toBe(name);
    });
  }

  const wrong = {
    'no text': '',
    'a slash': '/',
    'a leading slash': '/a',
    'a trailing slash': 'a/',
    'two slashes': 'a//b',
    'an upper-case letter': 'a/B',
    'the parent folder': 'a/../b',
    'the folder itself': './a',
    'a leading underscore, as our own folders have': 'a/_blobs',
    'a leading dot': '.a',
    'a trailing dot': 'a.',
    'a trailing hyphen': 'a-',
    'two dots': 'a..b',
    'three underscores': 'a___b',
    'mixed separators': 'a._b',
    'a colon': 'a:b',
    'an at sign': 'a@b',
    'a space': 'a b',
    'a line feed': 'a\n',
    'a NUL': 'a\0b',
    'a percent sign': 'a%2fb',
    'a backslash': 'a\\b',
    'a letter outside ASCII': 'bücher',
    '256 characters': 'a'.repeat(256),
    '256 characters in components': `${'a/'.repeat(127)}aa`,
    'a mebibyte': 'a'.repeat(1024 * 1024),
  };
  for (const [what, name] of Object.entries(wrong)) {
    it(`refuses ${what}`, () => {
      expect(() => RepositoryRef.of(quay, name)).toThrow(
        expect.objectContaining({ code: 'NAME_INVALID', status: 400 }),
      );
    });
  }

  it('takes exactly the names of the specification', () => {
    const name = fc.oneof(
      fc.stringMatching(/^[a-z0-9]{1,4}(?:(?:\.|_|__|-{1,3}|\/)[a-z0-9]{1,4}){0,6}$/),
      fc.string({ unit: fc.constantFrom(...'aZ0._-/'.split('')), maxLength: 8 }),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(name, (text) => {
        let taken = true;
        try {
          RepositoryRef.of(quay, text);
        } catch {
          taken = false;
        }
        expect(taken).toBe(grammar.test(text) && text.length <= maxNameLength);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the official images of Docker Hub their library, and no other', () => {
    expect(RepositoryRef.of(dockerHub, 'busybox').name).toBe('library/busybox');
    expect(RepositoryRef.of(dockerHub, 'library/busybox').name).toBe('library/busybox');
    expect(RepositoryRef.of(dockerHub, 'team/busybox').name).toBe('team/busybox');
    expect(RepositoryRef.of(quay, 'busybox').name).toBe('busybox');
    expect(RepositoryRef.of(Namespace.parse('docker.io:5000'), 'busybox').name).toBe('busybox');
  });

  it('has a name of at most 255 characters with its library as well', () => {
    const longest = 'a'.repeat(255 - 'library/'.length);
    const { name } = RepositoryRef.of(dockerHub, longest);
    expect(RepositoryRef.of(dockerHub, name).name).toBe(name);
    expect(() => RepositoryRef.of(dockerHub, `${longest}a`)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  });

  it('is another in another namespace and under another name', () => {
    const busybox = RepositoryRef.of(dockerHub, 'busybox');
    expect(busybox.equals(RepositoryRef.of(Namespace.parse('index.docker.io'), 'library/busybox'))).toBe(true);
    expect(busybox.equals(RepositoryRef.of(quay, 'library/busybox'))).toBe(false);
    expect(busybox.equals(RepositoryRef.of(dockerHub, 'alpine'))).toBe(false);
    expect(busybox.toString()).toBe('docker.io/library/busybox');
  });
});
