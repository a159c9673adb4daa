import { describe, expect, it, vi } from 'vitest';
import { CopyBuffers } from './copy-buffers.js';

const kibibyte = 1024;
const large = 1024 * kibibyte;

describe('CopyBuffers', () => {
  it('gives few copies 256 KiB', () => {
    const buffers = new CopyBuffers();
    buffers.enter();
    expect(buffers.acquire(large).length).toBe(256 * kibibyte);
  });

  it('gives many copies less, down to 16 KiB, so that all of them together stay bounded', () => {
    const buffers = new CopyBuffers();
    const sizeWith = (copies: number) => {
      const leave = Array.from({ length: copies }, () => buffers.enter());
      const { length } = buffers.acquire(large);
      for (const left of leave) buffers.leave(left);
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

  it('does not count readers who are slow, and gives them 16 KiB, until they are fast again', () => {
    vi.useFakeTimers();
    try {
      const buffers = new CopyBuffers();
      const many = Array.from({ length: 500 }, () => buffers.enter());
      for (const slow of many) slow.sending();
      const fast = buffers.enter();
      expect(buffers.acquire(large, fast).length).toBe(16 * kibibyte);
      vi.advanceTimersByTime(1_500);
      expect(buffers.acquire(large, fast).length).toBe(256 * kibibyte);
      for (const slow of many) expect(buffers.acquire(large, slow).length).toBe(16 * kibibyte);
      const reader = many[0]!;
      reader.sent(16 * kibibyte);
      expect(reader.isSlow).toBe(true);
      // The kernel takes a megabyte at once when half of its buffer has become free.
      for (let sent = 0; sent < 1_024; sent += 16) {
        reader.sending();
        vi.advanceTimersByTime(1);
        reader.sent(16 * kibibyte);
      }
      expect(reader.isSlow).toBe(true);
      reader.sending();
      vi.advanceTimersByTime(950);
      reader.sent(16 * kibibyte);
      expect(reader.isSlow).toBe(false);
      for (const copy of [...many, fast]) buffers.leave(copy);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('knows a reader as fast who takes 8 MiB in a second, until nothing more is taken', () => {
    vi.useFakeTimers();
    try {
      const buffers = new CopyBuffers();
      const [fast, steady] = [buffers.enter(), buffers.enter()];
      const stall = vi.fn();
      for (let sent = 0; sent < 32; sent += 1) {
        expect([fast.isProven, steady.isProven]).toEqual([false, false]);
        for (const copy of [fast, steady]) copy.sending(stall);
        vi.advanceTimersByTime(30);
        fast.sent(256 * kibibyte);
        steady.sent(64 * kibibyte);
      }
      expect([fast.isProven, steady.isProven]).toEqual([true, false]);
      fast.sending(stall);
      vi.advanceTimersByTime(900);
      expect([fast.isProven, stall.mock.calls.length]).toEqual([true, 0]);
      vi.advanceTimersByTime(400);
      expect([fast.isProven, fast.isSlow]).toEqual([false, true]);
      expect(stall).toHaveBeenCalled();
      for (const copy of [fast, steady]) buffers.leave(copy);
    } finally {
      vi.useRealTimers();
    }
  });

  it('gives 16 KiB only while those who have become slow hold 24 MiB', () => {
    const buffers = new CopyBuffers();
    const copy = buffers.enter();
    const taken = Array.from({ length: 96 }, () => buffers.acquire(large, copy));
    expect(buffers.acquire(large, copy).length).toBe(16 * kibibyte);
    for (const buffer of taken) buffers.release(buffer);
    expect(buffers.acquire(large, copy).length).toBe(256 * kibibyte);
  });

  it('gives no more than twice what is still to be copied, and never less than 16 KiB', () => {
    const buffers = new CopyBuffers();
    expect(buffers.acquire(1).length).toBe(16 * kibibyte);
    for (const remaining of [16 * kibibyte, 40_000, 100_000, 131_072, 200_000]) {
      const { length } = buffers.acquire(remaining);
      expect(length).toBeLessThanOrEqual(2 * remaining);
    }
  });

  it('gives a returned buffer again, to one taker only', () => {
    const buffers = new CopyBuffers();
    const first = buffers.acquire(large);
    buffers.release(first);
    expect(buffers.acquire(large)).toBe(first);
    expect(buffers.acquire(large)).not.toBe(first);
  });

  it('keeps at most 1 MiB of idle buffers', () => {
    const buffers = new CopyBuffers();
    const taken = Array.from({ length: 100 }, () => buffers.acquire(large));
    for (const buffer of taken) buffers.release(buffer);
    const again = Array.from({ length: 100 }, () => buffers.acquire(large));
    expect(again.filter((buffer) => taken.includes(buffer))).toHaveLength(4);
  });
});
