import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration } from './duration.js';

describe('parseDuration', () => {
  const durations = {
    '0s': 0,
    '250ms': 250,
    '30s': 30_000,
    '10m': 600_000,
    '1h 30m': 5_400_000,
    '1h30m': 5_400_000,
    ' 14d ': 1_209_600_000,
    '2w': 1_209_600_000,
    '1 h': 3_600_000,
    '1d 2h 3m 4s 5ms': 93_784_005,
    '007s': 7_000,
  };
  for (const [text, milliseconds] of Object.entries(durations)) {
    it(`reads ${JSON.stringify(text)}`, () => expect(parseDuration(text)).toBe(milliseconds));
  }

  for (const text of [
    '',
    ' ',
    '0',
    '10',
    's',
    '-1s',
    '1.5h',
    '1y',
    '1H',
    '1h 30',
    'h1',
    '1h,30m',
    '1e3s',
    'forever',
    '\u0661s',
  ]) {
    it(`reads nothing in ${JSON.stringify(text)}`, () => expect(parseDuration(text)).toBeUndefined());
  }

  it('takes a duration beyond 100 years for 100 years', () => {
    const century = 36_525 * 86_400_000;
    expect(parseDuration('999999999w')).toBe(century);
    expect(parseDuration('999999999w 999999999w')).toBe(century);
  });

  it('adds the parts up', () => {
    const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
    const part = fc.tuple(fc.nat({ max: 999 }), fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.constantFrom('', ' ', '  '), (parts, space) => {
        const text = parts.map(([count, unit]) => `${count}${unit}`).join(space);
        expect(parseDuration(text)).toBe(parts.reduce((sum, [count, unit]) => sum + count * units[unit], 0));
      }),
    );
  });

  it('gives a finite number or nothing, whatever the text', () => {
    const confusing = fc.string({ unit: fc.constantFrom(...'019smhdw '.split('')) });
    fc.assert(
      fc.property(fc.oneof(fc.string(), confusing), (text) => {
        const milliseconds = parseDuration(text);
        expect(milliseconds === undefined || (Number.isSafeInteger(milliseconds) && milliseconds >= 0)).toBe(true);
      }),
    );
  });

  it('refuses a mebibyte at once', () => {
    const start = performance.now();
    expect(parseDuration('1h '.repeat(350_000))).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(500);
  });
});
