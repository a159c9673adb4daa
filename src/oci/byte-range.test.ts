import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseContentRange, parseRange } from './byte-range.js';

describe('parseRange', () => {
  const size = 1000;
  const responses = {
    'bytes=0-0': { offset: 0, length: 1 },
    'bytes=0-': { offset: 0, length: 1000 },
    'bytes=0-999': { offset: 0, length: 1000 },
    'bytes=0-5000': { offset: 0, length: 1000 },
    'bytes=500-599': { offset: 500, length: 100 },
    'bytes=999-': { offset: 999, length: 1 },
    'bytes=999-999': { offset: 999, length: 1 },
    'bytes=-1': { offset: 999, length: 1 },
    'bytes=-1000': { offset: 0, length: 1000 },
    'bytes=-5000': { offset: 0, length: 1000 },
    'Bytes= 1-2 ': { offset: 1, length: 2 },
    'bytes=1000-': 'unsatisfiable',
    'bytes=1000-2000': 'unsatisfiable',
    'bytes=-0': 'unsatisfiable',
    'bytes=5-4': 'whole',
    'bytes=2000-1500': 'whole',
    'bytes=-': 'whole',
    'bytes=': 'whole',
    'bytes=0-1,5-6': 'whole',
    'bytes=a-b': 'whole',
    'bytes=--1': 'whole',
    'bytes=+1-2': 'whole',
    'bytes=0x1-2': 'whole',
    'bytes=1.5-2': 'whole',
    'bytes 0-1': 'whole',
    'lines=0-1': 'whole',
    '0-1': 'whole',
    '': 'whole',
  };
  for (const [header, response] of Object.entries(responses)) {
    it(`answers ${header} with ${JSON.stringify(response)}`, () => expect(parseRange(header, size)).toEqual(response));
  }

  it('answers no header with the whole content', () => expect(parseRange(undefined, size)).toBe('whole'));

  it('satisfies no range of empty content', () => {
    for (const header of ['bytes=0-', 'bytes=0-0', 'bytes=-1']) expect(parseRange(header, 0)).toBe('unsatisfiable');
    expect(parseRange(undefined, 0)).toBe('whole');
  });

  it('answers with bytes that the content has, whatever the header', () => {
    const digits = fc.stringMatching(/^\d{0,17}$/);
    const header = fc.oneof(
      fc.string(),
      fc.tuple(digits, digits).map(([first, last]) => `bytes=${first}-${last}`),
      fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 60 })).map(([first, last]) => `bytes=${first}-${last}`),
    );
    fc.assert(
      fc.property(header, fc.nat({ max: 50 }), (text, length) => {
        const response = parseRange(text, length);
        if (typeof response === 'string') return;
        expect(Number.isSafeInteger(response.offset) && Number.isSafeInteger(response.length)).toBe(true);
        expect(response.offset).toBeGreaterThanOrEqual(0);
        expect(response.length).toBeGreaterThan(0);
        expect(response.offset + response.length).toBeLessThanOrEqual(length);
      }),
      { numRuns: 2000 },
    );
  });

  it('answers as slicing does', () => {
    const content = [...Array(40).keys()];
    fc.assert(
      fc.property(fc.nat({ max: 50 }), fc.nat({ max: 50 }), (first, last) => {
        const response = parseRange(`bytes=${first}-${last}`, content.length);
        if (typeof response === 'string') {
          expect(response).toBe(last < first ? 'whole' : 'unsatisfiable');
          expect(last < first || first >= content.length).toBe(true);
        } else {
          expect(content.slice(response.offset, response.offset + response.length)).toEqual(
            content.slice(first, last + 1),
          );
        }
      }),
    );
  });

  it('reads 8 KiB of spaces and digits at once', () => {
    const start = performance.now();
    for (const filler of [' ', '0', '\t ', '-', '=', ',']) {
      parseRange(`bytes=${filler.repeat(8192 / filler.length)}x`, size);
    }
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('parseContentRange', () => {
  it('reads first, last and size', () => {
    expect(parseContentRange('bytes 0-499/1000')).toEqual({ first: 0, last: 499, size: 1000 });
    expect(parseContentRange('bytes 500-999/1000')).toEqual({ first: 500, last: 999, size: 1000 });
    expect(parseContentRange('bytes 5-5/*')).toEqual({ first: 5, last: 5, size: undefined });
  });

  for (const header of [
    '',
    'bytes */1000',
    'bytes 0-499',
    'bytes 499-0/1000',
    'bytes 0-1000/1000',
    'bytes 0-0/0',
    'bytes -1-5/10',
    'bytes 0-/10',
    'bytes=0-1/2',
    'items 0-1/2',
    'bytes 0-1/2 ',
    'bytes 0-1/2, bytes 3-4/5',
    'bytes 0-99999999999999999999/*',
  ]) {
    it(`reads nothing in ${JSON.stringify(header)}`, () => expect(parseContentRange(header)).toBeUndefined());
  }

  it('reads nothing where there is no header', () => expect(parseContentRange(undefined)).toBeUndefined());

  it('reads what a server writes', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1 }), (first, more, after) => {
        const range = { first, last: first + more, size: first + more + after };
        expect(parseContentRange(`bytes ${range.first}-${range.last}/${range.size}`)).toEqual(range);
      }),
    );
  });
});
