import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNextLink } from './link.js';

describe('parseNextLink', () => {
  const targets = {
    '</v2/a/tags/list?last=b&n=2>; rel="next"': '/v2/a/tags/list?last=b&n=2',
    '</v2/a/tags/list?n=2&last=b>; rel=next': '/v2/a/tags/list?n=2&last=b',
    ' <https://host/v2/a>;rel="next"': 'https://host/v2/a',
    '<a,b>; title="x"; rel="next"': 'a,b',
    '<a>; REL="NEXT"; title="x"': 'a',
    '<a>; rel="prev", <b>; rel="next"': 'b',
    '<a>; rel="next", <b>; rel="prev"': 'a',
    '<a>; rel="first",<b>; rel="next",<c>; rel="last"': 'b',
    '<>; rel="next"': '',
  };
  for (const [header, target] of Object.entries(targets)) {
    it(`finds the target in ${header}`, () => expect(parseNextLink(header)).toBe(target));
  }

  for (const header of [
    '',
    '<a>',
    '<a>; rel="prev"',
    '<a>; rel="nextone"',
    'a; rel="next"',
    'rel=next',
    '; rel=next',
  ]) {
    it(`finds nothing in ${JSON.stringify(header)}`, () => expect(parseNextLink(header)).toBeUndefined());
  }

  it('finds nothing where there is no header', () => expect(parseNextLink(undefined)).toBeUndefined());

  it('never throws', () => {
    const confusing = fc.string({ unit: fc.constantFrom(...'<>;,="rel next'.split('')), maxLength: 60 });
    fc.assert(fc.property(fc.oneof(fc.string(), confusing), (header) => void parseNextLink(header)));
  });

  it('reads 8 KiB of anything in a moment', () => {
    const start = performance.now();
    for (const part of ['<', '>', ';', ',', ' ', ', ', '; ', '; rel', ';rel=', ';rel="next" ', ', <', '<a>;']) {
      parseNextLink(part.repeat(8192));
    }
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
