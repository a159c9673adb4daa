import { expect, it } from 'vitest';
import { delayAfter } from './backoff.js';

it('doubles the delay up to five minutes, less up to half of it', () => {
  expect([1, 2, 3, 10, 11, 5_000].map((attempts) => delayAfter(attempts, 1))).toEqual([
    500, 1_000, 2_000, 256_000, 300_000, 300_000,
  ]);
  expect(delayAfter(1, 0)).toBe(250);
});
