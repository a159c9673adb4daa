import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from './retry-after.js';

const now = Date.parse('Tue, 24 Nov 2026 12:00:00 GMT');

describe('parseRetryAfter', () => {
  it.each([
    ['0', 0],
    ['1', 1],
    ['120', 120],
    ['86400', 86_400],
    ['86401', 86_400],
    ['9999999999', 86_400],
    ['Tue, 24 Nov 2026 12:00:30 GMT', 30],
    ['Tue, 24 Nov 2026 12:00:00 GMT', 0],
    ['Tue, 24 Nov 2026 11:00:00 GMT', 0],
    ['Thu, 24 Nov 2033 12:00:00 GMT', 86_400],
  ])('reads %s as %i seconds', (header, seconds) => {
    expect(parseRetryAfter(header, now)).toBe(seconds);
  });

  it.each([
    undefined,
    '',
    ' 5',
    '-1',
    '1.5',
    '1e3',
    '0x10',
    '99999999999',
    'soon',
    '2026-11-24T12:00:00Z',
    'Tue, nonsense',
    'NaN',
  ])('takes %s for no header at all', (header) => {
    expect(parseRetryAfter(header, now)).toBeUndefined();
  });

  it('gives whole seconds of at most a day, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
        ),
        (header) => {
          const seconds = parseRetryAfter(header, now);
          expect(seconds === undefined || (Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400)).toBe(true);
        },
      ),
    );
  });

  it('rounds up, so that nobody comes back too early', () => {
    expect(parseRetryAfter('Tue, 24 Nov 2026 12:00:01 GMT', now - 1)).toBe(2);
  });
});
