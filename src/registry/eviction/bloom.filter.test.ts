import { describe, expect, it } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { BloomFilter } from './bloom.filter.js';

const digests = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => Digest.of(Buffer.from(String(from + index))));

describe('BloomFilter', () => {
  it('has no false negatives, even when it is too small', () => {
    const filter = new BloomFilter(0);
    const added = digests(0, 300_000);
    for (const digest of added) filter.add(digest);
    expect(added.every((digest) => filter.has(digest))).toBe(true);
  });

  it('has few false positives, and others in each filter', () => {
    const added = digests(0, 100_000);
    const others = digests(1_000_000, 20_000);
    const wrong = [0, 1].map(() => {
      const filter = new BloomFilter(added.length);
      for (const digest of added) filter.add(digest);
      return new Set(others.filter((digest) => filter.has(digest)));
    });
    for (const claimed of wrong) expect(claimed.size).toBeLessThan(others.length / 50);
    const [first = new Set(), second = new Set()] = wrong;
    // Two independent sets of 1 % overlap in about 0.01 %.
    expect([...first].filter((digest) => second.has(digest)).length).toBeLessThanOrEqual(20);
  });

  it('distinguishes digests of both algorithms', () => {
    const filter = new BloomFilter(10);
    filter.add(Digest.of(Buffer.from('a'), 'sha512'));
    expect(filter.has(Digest.of(Buffer.from('a'), 'sha512'))).toBe(true);
    expect(filter.has(Digest.of(Buffer.from('a'), 'sha256'))).toBe(false);
  });
});
