import { describe, expect, it } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { BloomFilter } from './bloom.filter.js';

const digests = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => Digest.of(Buffer.from(String(from + index))));

describe('BloomFilter', () => {
  it('never denies what was added, also when it is too small', () => {
    const filter = new BloomFilter(0);
    const added = digests(0, 300_000);
    for (const digest of added) filter.add(digest);
    expect(added.every((digest) => filter.has(digest))).toBe(true);
  });

  it('seldom claims what was not, and not the same the next time', () => {
    const added = digests(0, 100_000);
    const others = digests(1_000_000, 20_000);
    const wrong = [0, 1].map(() => {
      const filter = new BloomFilter(added.length);
      for (const digest of added) filter.add(digest);
      return new Set(others.filter((digest) => filter.has(digest)));
    });
    for (const claimed of wrong) expect(claimed.size).toBeLessThan(others.length / 50);
    const [first = new Set(), second = new Set()] = wrong;
    // Two random sets of a hundredth have about a ten thousandth in common.
    expect([...first].filter((digest) => second.has(digest)).length).toBeLessThanOrEqual(20);
  });

  it('tells digests of both algorithms apart', () => {
    const filter = new BloomFilter(10);
    filter.add(Digest.of(Buffer.from('a'), 'sha512'));
    expect(filter.has(Digest.of(Buffer.from('a'), 'sha512'))).toBe(true);
    expect(filter.has(Digest.of(Buffer.from('a'), 'sha256'))).toBe(false);
  });
});
