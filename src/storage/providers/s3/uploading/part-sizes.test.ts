import { describe, expect, it } from 'vitest';
import { partsOf, type Part } from './part-sizes.js';
import { defaultTuning } from '../s3.tuning.js';

const [mebibyte, gibibyte, tebibyte] = [1024 ** 2, 1024 ** 3, 1024 ** 4];

function take(count: number, total?: number): Part[] {
  const parts = partsOf(defaultTuning.firstPart, total);
  return Array.from({ length: count }, () => parts.next().value);
}

describe.each([undefined, 50 * gibibyte, 5 * tebibyte])('partsOf %d bytes', (total) => {
  it('numbers parts from 1 and leaves no gap between them', () => {
    let end = 0;
    for (const [index, { number, offset, length }] of take(10_000, total).entries()) {
      expect([number, offset]).toEqual([index + 1, end]);
      end = offset + length;
    }
  });

  it('holds it in the 10,000 parts that S3 takes, none above 5 GiB', () => {
    const parts = take(10_000, total);
    const { offset, length } = parts.at(-1)!;
    expect(offset + length).toBeGreaterThanOrEqual(total ?? 5 * tebibyte);
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(5 * gibibyte);
  });
});

describe('partsOf', () => {
  it('never has a part below the 5 MiB that S3 takes, and small ones for the layers there are', () => {
    expect(take(1000).map(({ length }) => length)).toEqual(Array.from({ length: 1000 }, () => 8 * mebibyte));
  });

  it.each([
    [0, 8],
    [50 * gibibyte, 8],
    [78 * gibibyte, 8],
    [100 * gibibyte, 16],
    [5 * tebibyte, 528],
  ])('has parts of one size for %d bytes: %d MiB', (total, size) => {
    expect(new Set(take(10_000, total).map(({ length }) => length))).toEqual(new Set([size * mebibyte]));
  });
});
