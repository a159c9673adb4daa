import { describe, expect, it } from 'vitest';
import { partsOf, type Part } from './part-sizes.js';
import { defaultTuning } from '../s3.tuning.js';

function take(count: number): Part[] {
  const parts = partsOf(defaultTuning.firstPart);
  return Array.from({ length: count }, () => parts.next().value);
}

describe('partsOf', () => {
  it('numbers parts from 1 and leaves no gap between them', () => {
    let end = 0;
    for (const [index, { number, offset, length }] of take(10_000).entries()) {
      expect([number, offset]).toEqual([index + 1, end]);
      end = offset + length;
    }
  });

  it('holds the largest object of S3, 5 TiB, in the 10,000 parts that S3 takes, none above 5 GiB', () => {
    const parts = take(10_000);
    const { offset, length } = parts.at(-1)!;
    expect(offset + length).toBeGreaterThan(5 * 1024 ** 4);
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(5 * 1024 ** 3);
  });

  it('never has a part below the 5 MiB that S3 takes, and small ones for the layers there are', () => {
    expect(take(1000).map(({ length }) => length)).toEqual(Array.from({ length: 1000 }, () => 8 * 1024 ** 2));
  });
});
