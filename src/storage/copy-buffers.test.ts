import { describe, expect, it } from 'vitest';
import { CopyBuffers } from './copy-buffers.js';

const kibibyte = 1024;
const large = 1024 * kibibyte;

describe('CopyBuffers', () => {
  it('gives few copies 256 KiB', () => {
    const buffers = new CopyBuffers();
    buffers.enter();
    expect(buffers.take(large).length).toBe(256 * kibibyte);
  });

  it('gives many copies less, down to 16 KiB, so that all of them together stay bounded', () => {
    const buffers = new CopyBuffers();
    const sizeWith = (copies: number) => {
      const leave = Array.from({ length: copies }, () => buffers.enter());
      const { length } = buffers.take(large);
      for (const left of leave) left();
      return length;
    };
    for (const copies of [1, 8, 10, 50, 100, 128]) {
      expect(2 * copies * sizeWith(copies)).toBeLessThanOrEqual(4 * 1024 * kibibyte);
    }
    expect(sizeWith(8)).toBe(256 * kibibyte);
    expect(sizeWith(128)).toBe(16 * kibibyte);
    expect(sizeWith(10_000)).toBe(16 * kibibyte);
    expect(sizeWith(1)).toBe(256 * kibibyte);
  });

  it('gives no more than twice what is still to be copied, and never less than 16 KiB', () => {
    const buffers = new CopyBuffers();
    expect(buffers.take(1).length).toBe(16 * kibibyte);
    for (const remaining of [16 * kibibyte, 40_000, 100_000, 131_072, 200_000]) {
      const { length } = buffers.take(remaining);
      expect(length).toBeLessThanOrEqual(2 * remaining);
    }
  });

  it('gives a returned buffer again, to one taker only', () => {
    const buffers = new CopyBuffers();
    const first = buffers.take(large);
    buffers.give(first);
    expect(buffers.take(large)).toBe(first);
    expect(buffers.take(large)).not.toBe(first);
  });

  it('keeps at most 1 MiB of idle buffers', () => {
    const buffers = new CopyBuffers();
    const taken = Array.from({ length: 100 }, () => buffers.take(large));
    for (const buffer of taken) buffers.give(buffer);
    const again = Array.from({ length: 100 }, () => buffers.take(large));
    expect(again.filter((buffer) => taken.includes(buffer))).toHaveLength(4);
  });
});
