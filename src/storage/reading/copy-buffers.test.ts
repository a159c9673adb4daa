import { describe, expect, it, vi } from 'vitest';
import { CopyBuffers } from './copy-buffers.js';

const kibibyte = 1024;
const large = 1024 * kibibyte;

describe('CopyBuffers', () => {
  it('gives few copies 256 KiB', () => {
    const buffers = new CopyBuffers();
    expect(buffers.acquire(large, buffers.enter()).length).toBe(256 * kibibyte);
  });

  it('gives many copies less, down to 16 KiB, so that all of them together stay bounded', () => {
    const buffers = new CopyBuffers();
    for (const copies of [1, 8, 10, 50, 100, 128, 1_000]) {
      const taken = Array.from({ length: copies }, () => {
        const copy = buffers.enter();
        return { copy, both: [buffers.acquire(large, copy), buffers.acquire(large, copy)] };
      });
      const sizes = taken.flatMap(({ both }) => both.map(({ length }) => length));
      const total = sizes.reduce((sum, length) => sum + length);
      expect(total).toBeLessThanOrEqual(4 * 1024 * kibibyte + copies * 32 * kibibyte);
      if (copies <= 6) expect(Math.min(...sizes)).toBe(256 * kibibyte);
      if (copies >= 50) expect(sizes.at(-1)).toBe(16 * kibibyte);
      for (const { copy, both } of taken) {
        for (const buffer of both) buffers.release(buffer, copy);
        buffers.leave(copy);
      }
    }
    expect(buffers.acquire(large, buffers.enter()).length).toBe(256 * kibibyte);
  });

  it('gives copies with a buffer as much as if those without one were not there', () => {
    const buffers = new CopyBuffers();
    const [first] = Array.from({ length: 1_000 }, () => buffers.enter());
    expect(buffers.acquire(large, first!).length).toBe(256 * kibibyte);
  });

  it('does not count readers who are slow, and gives them 16 KiB, until they are fast again', () => {
    vi.useFakeTimers();
    try {
      const buffers = new CopyBuffers();
      const many = Array.from({ length: 500 }, () => buffers.enter());
      const held = new Map(many.map((slow) => [slow, buffers.acquire(large, slow)]));
      for (const slow of many) slow.sending();
      const fast = buffers.enter();
      expect(buffers.acquire(large, fast).length).toBe(16 * kibibyte);
      vi.advanceTimersByTime(1_500);
      expect(buffers.acquire(large, fast).length).toBe(256 * kibibyte);
      for (const slow of many) expect(buffers.acquire(large, slow).length).toBe(16 * kibibyte);
      const reader = many[0]!;
      reader.sent(16 * kibibyte);
      buffers.release(held.get(reader)!, reader);
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
    vi.useFakeTimers();
    try {
      const buffers = new CopyBuffers();
      const [copy, held] = [buffers.enter(), [] as (() => void)[]];
      while (held.length < 96) {
        const slow = buffers.enter();
        const buffer = buffers.acquire(large, slow);
        if (buffer.length === 256 * kibibyte) held.push(() => buffers.release(buffer, slow));
        else buffers.release(buffer, slow);
        slow.sending();
        vi.advanceTimersByTime(1_500);
      }
      expect(buffers.acquire(large, copy).length).toBe(16 * kibibyte);
      for (const release of held) release();
      expect(buffers.acquire(large, copy).length).toBe(256 * kibibyte);
    } finally {
      vi.useRealTimers();
    }
  });

  it('gives no more than twice what is still to be copied, and never less than 16 KiB', () => {
    const buffers = new CopyBuffers();
    const copy = buffers.enter();
    const sizeFor = (remaining: number) => {
      const buffer = buffers.acquire(remaining, copy);
      buffers.release(buffer, copy);
      return buffer.length;
    };
    expect(sizeFor(1)).toBe(16 * kibibyte);
    for (const remaining of [16 * kibibyte, 40_000, 100_000, 131_072, 200_000]) {
      expect(sizeFor(remaining)).toBeLessThanOrEqual(2 * remaining);
    }
  });

  it('gives a returned buffer again, to one taker only', () => {
    const buffers = new CopyBuffers();
    const copy = buffers.enter();
    const first = buffers.acquire(large, copy);
    buffers.release(first, copy);
    expect(buffers.acquire(large, copy)).toBe(first);
    expect(buffers.acquire(large, copy)).not.toBe(first);
  });

  it('keeps at most 1 MiB of idle buffers', () => {
    const buffers = new CopyBuffers(100 * large);
    const copy = buffers.enter();
    const taken = Array.from({ length: 100 }, () => buffers.acquire(large, copy));
    for (const buffer of taken) buffers.release(buffer, copy);
    const again = Array.from({ length: 100 }, () => buffers.acquire(large, copy));
    expect(again.filter((buffer) => taken.includes(buffer))).toHaveLength(4);
  });
});
