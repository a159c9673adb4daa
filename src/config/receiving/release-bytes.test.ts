import { expect, it } from 'vitest';
import { releaseBytes } from './release-bytes.js';

it('frees the memory of a chunk at once', () => {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let count = 0; count < 1_000; count += 1) {
    const chunk = Buffer.allocUnsafeSlow(64 * 1024);
    releaseBytes(chunk);
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    expect(chunk).toHaveLength(0);
  }
  expect(most).toBeLessThan(8 * 64 * 1024);
});

it('keeps what other chunks share, and what threads share', () => {
  const whole = Buffer.from('0123456789');
  releaseBytes(whole.subarray(0, 5));
  releaseBytes(new Uint8Array(new SharedArrayBuffer(8)));
  releaseBytes(new Uint8Array(0));
  expect(whole.toString()).toBe('0123456789');
});

it('can be called for a chunk twice', () => {
  const chunk = new Uint8Array(16);
  releaseBytes(chunk);
  releaseBytes(chunk);
  expect(chunk).toHaveLength(0);
});
