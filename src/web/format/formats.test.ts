import { describe, expect, it } from 'vitest';
import { Formats } from './formats.js';
import { languageOf } from './language.js';

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ');
const at = Date.UTC(2026, 10, 24, 17, 5, 59);

describe('the language of a browser', () => {
  it.each([
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['de-DE,de;q=0.9,en;q=0.8', 'de'],
    ['en;q=0.5, fr-CA', 'fr-CA'],
    ['fr-LU', 'fr'],
    ['zh-CN', 'zh'],
    ['zh-Hant-HK, en', 'zh-TW'],
    ['PT-br', 'pt-BR'],
    ['xx, yy;q=0.9, pl;q=0.1', 'pl'],
    ['de;q=0, fr;q=0.1', 'fr'],
    ['de;q=7, *', 'en'],
    [`${'x'.repeat(10_000)},de`, 'en'],
    ['__proto__, constructor', 'en'],
  ])('of %s is %s', (header, language) => expect(languageOf(header)).toBe(language));
});

describe('numbers and dates', () => {
  it.each([
    ['en', '1,234,567', '97%', '1.5 KiB', 'Nov 24, 2026, 17:05 UTC'],
    ['de', '1.234.567', '97 %', '1,5 KiB', '24. Nov. 2026, 17:05 UTC'],
    ['fr', '1 234 567', '97 %', '1,5 KiB', '24 nov. 2026, 17:05 UTC'],
    ['zh', '1,234,567', '97%', '1.5 KiB', '2026年11月24日 17:05 UTC'],
  ])('are as in %s', (language, count, ratio, size, time) => {
    const formats = Formats.for(language);
    expect(plain(formats.count(1_234_567))).toBe(count);
    expect(plain(formats.ratio(97, 100))).toBe(ratio);
    expect(plain(formats.size(1536))).toBe(size);
    expect(plain(formats.time(at))).toBe(time);
  });

  const formats = Formats.for('en');

  it('are made once for each language', () => expect(Formats.for('de-DE')).toBe(Formats.for('de')));

  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1,023 B'],
    [1024, '1 KiB'],
    [150 * 1024 ** 2, '150 MiB'],
    [3.04 * 1024 ** 4, '3 TiB'],
    [1024 ** 2 - 1, '1 MiB'],
    [2 ** 70, '1,048,576 PiB'],
  ])('write %d bytes as %s', (bytes, text) => expect(formats.size(bytes)).toBe(text));

  it.each([
    [0, 0, '–'],
    [0, 10, '0%'],
    [1, 1000, '1%'],
    [999, 1000, '99%'],
    [1000, 1000, '100%'],
    [1, 3, '33%'],
  ])('write %d of %d as %s', (part, whole, text) => expect(formats.ratio(part, whole)).toBe(text));

  it.each([
    [-5, '0 s'],
    [999, '0 s'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h'],
    [3_601_000, '1 h'],
    [90_061_000, '1 d 1 h'],
    [86_400_000 * 4000, '4,000 d'],
  ])('write %d ms as %s', (milliseconds, text) => expect(formats.duration(milliseconds)).toBe(text));
});
