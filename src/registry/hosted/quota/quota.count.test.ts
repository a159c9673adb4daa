import { describe, expect, it } from 'vitest';
import { Digest } from '../../../oci/digest.js';
import { RepositoryPattern } from '../../../oci/patterns/repository-pattern.js';
import { QuotaCount } from './quota.count.js';

const digest = (name: string) => Digest.of(Buffer.from(name), 'sha256');
const [a, b] = [digest('a'), digest('b')];
const make = () => new QuotaCount(RepositoryPattern.parse('local/**'), '**', 100);

function record(count: QuotaCount, of: Digest, size: number): void {
  count.claim(of, size);
  count.settle(of, true);
}

describe('the count of a quota', () => {
  it('has a digest once, also while several pushes bring it', () => {
    const count = make();
    count.claim(a, 60);
    expect([count.used, count.fits(b, 41), count.fits(a, 60)]).toEqual([60, false, true]);
    count.claim(a, 60);
    count.settle(a, false);
    expect(count.used).toBe(60);
    count.settle(a, true);
    record(count, a, 60);
    expect([count.used, count.fits(b, 40)]).toEqual([60, true]);
  });

  it('forgets a push that fails', () => {
    const count = make();
    count.claim(a, 60);
    count.settle(a, false);
    expect([count.used, count.fits(a, 101)]).toEqual([0, false]);
  });

  it('keeps what was there before a push that fails', () => {
    const count = make();
    record(count, a, 60);
    count.claim(a, 60);
    count.settle(a, false);
    expect(count.used).toBe(60);
  });

  it('is replaced by a new count, with what was recorded meanwhile and what is being recorded', () => {
    const count = make();
    record(count, digest('gone'), 10);
    record(count, a, 20);
    count.claim(b, 30);
    count.begin();
    expect([count.lacks(a), count.lacks(digest('other'))]).toEqual([false, true]);
    count.count(digest('other'), 5);
    record(count, digest('new'), 7);
    count.end(true);
    expect(count.used).toBe(20 + 30 + 5 + 7);
    count.settle(b, true);
    expect(count.used).toBe(62);
  });

  it('loses a claim that fails after a count which has not seen it', () => {
    const count = make();
    record(count, a, 20);
    count.claim(a, 20);
    count.begin();
    count.end(true);
    expect(count.used).toBe(20);
    count.settle(a, false);
    expect(count.used).toBe(0);
  });

  it('stays as it was when the new count fails', () => {
    const count = make();
    record(count, a, 20);
    count.begin();
    count.end(false);
    expect([count.used, count.fits(a, 200)]).toEqual([20, true]);
  });
});
