import { describe, expect, it } from 'vitest';
import { parseSize } from './size.js';

describe('parseSize', () => {
  it.each([
    ['0B', 0],
    ['1kB', 1000],
    ['1KiB', 1024],
    ['32MiB', 33_554_432],
    ['1.5 GB', 1_500_000_000],
    [' 2 TiB ', 2_199_023_255_552],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', '10', 'MiB', '-1B', '1.B', '1 MiBs', '1mb', '1kib', '1e3B', '9999999999B', '1.1234GB', 'constructor'])(
    'refuses %j',
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );
});
