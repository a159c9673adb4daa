import { describe, expect, it } from 'vitest';
import { countText, durationText, ratioText, sizeText, timeText } from './text.js';

describe('texts of the status page', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [150 * 1024 ** 2, '150 MiB'],
    [3.04 * 1024 ** 4, '3 TiB'],
    [2 ** 70, '1048576 PiB'],
  ])('write %d bytes as %s', (bytes, text) => expect(sizeText(bytes)).toBe(text));

  it.each([
    [0, 0, '–'],
    [0, 10, '0 %'],
    [1, 1000, '1 %'],
    [999, 1000, '99 %'],
    [1000, 1000, '100 %'],
    [1, 3, '33 %'],
  ])('write %d of %d as %s', (part, whole, text) => expect(ratioText(part, whole)).toBe(text));

  it.each([
    [-5, '0 s'],
    [999, '0 s'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h'],
    [90_061_000, '1 d 1 h'],
    [86_400_000 * 40, '40 d'],
  ])('write %d ms as %s', (milliseconds, text) => expect(durationText(milliseconds)).toBe(text));

  it('write counts in groups and times in UTC', () => {
    expect(countText(1234567)).toBe('1,234,567');
    expect(timeText(Date.UTC(2026, 10, 24, 17, 5, 59))).toBe('2026-11-24 17:05 UTC');
  });
});
