import { describe, expect, it } from 'vitest';
import { Digest } from './digest.js';
import { entityTag, matchesEntityTag } from './entity-tag.js';

const digest = Digest.of(Buffer.from('x'));
const other = Digest.of(Buffer.from('y'));

describe('an entity tag', () => {
  it('is the digest in quotes', () => expect(entityTag(digest)).toBe(`"${digest.toString()}"`));

  const matching = {
    'the tag itself': entityTag(digest),
    'the weak tag': `W/${entityTag(digest)}`,
    'the digest without quotes, as some clients send it': digest.toString(),
    'one of several': `"a", ${entityTag(other)} ,\t${entityTag(digest)}`,
    'any tag': '*',
  };
  for (const [what, header] of Object.entries(matching)) {
    it(`is matched by ${what}`, () => expect(matchesEntityTag(header, digest)).toBe(true));
  }

  const differing = {
    'no header': undefined,
    'an empty header': '',
    'another tag': entityTag(other),
    'a part of it': entityTag(digest).slice(0, -2),
    'the hash alone': digest.hex,
    'a star in quotes': '"*"',
    commas: ',,,',
    'a tag beyond 8 KiB': `${'"a",'.repeat(3000)}${entityTag(digest)}`,
  };
  for (const [what, header] of Object.entries(differing)) {
    it(`is not matched by ${what}`, () => expect(matchesEntityTag(header, digest)).toBe(false));
  }
});
