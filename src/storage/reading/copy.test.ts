import fc from 'fast-check';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { copyRange } from './copy.js';
import type { PositionedRead } from './positioned-read.js';
import { SharedBlocks } from './shared-blocks.js';
import { collector, sample } from '../testing/content.js';

const mebibyte = 1024 * 1024;
const content = sample(600_000);
const readContent: PositionedRead = (buffer, length, position) =>
  Promise.resolve(content.copy(buffer, 0, position, position + length));

describe('copyRange', () => {
  it('copies any range, however few bytes each read gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: content.length }),
        fc.nat({ max: content.length }),
        fc.integer({ min: 10_000, max: 300_000 }),
        async (one, other, most) => {
          const [offset, end] = [Math.min(one, other), Math.max(one, other)];
          const { sink, content: copied } = collector();
          const read: PositionedRead = (buffer, length, position) =>
            readContent(buffer, Math.min(length, most), position);
          await copyRange(read, { offset, length: end - offset }, sink);
          expect(copied().equals(content.subarray(offset, end))).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('reads nothing beyond the range', async () => {
    const ends: number[] = [];
    const read: PositionedRead = (buffer, length, position) => {
      ends.push(position + length);
      return readContent(buffer, length, position);
    };
    await copyRange(read, { offset: 5, length: 300_000 }, collector().sink);
    expect(Math.max(...ends)).toBe(300_005);
  });

  it('reads one chunk while the sink has the other', async () => {
    const events: string[] = [];
    const read: PositionedRead = (buffer, length, position) => {
      events.push('read');
      return readContent(buffer, Math.min(length, 1000), position);
    };
    const sink = async () => {
      events.push('sent');
      await delay(5);
      events.push('taken');
    };
    await copyRange(read, { offset: 0, length: 2000 }, sink);
    expect(events).toEqual(['read', 'sent', 'read', 'taken', 'sent', 'taken']);
  });

  it('fails as damaged when the source ends early, after the sink has settled or not', async () => {
    const read: PositionedRead = (buffer, _length, position) =>
      readContent(buffer, position < 1000 ? 1000 : 0, position);
    const { sink, content: copied } = collector();
    await expect(copyRange(read, { offset: 0, length: 5000 }, sink)).rejects.toMatchObject({ kind: 'damaged' });
    expect(copied().equals(content.subarray(0, 1000))).toBe(true);
  });

  it('throws what the sink throws even when the sink fails while a read takes its time', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const failure = new Error('the client has left');
    const read: PositionedRead = async (buffer, length, position) => {
      await delay(10);
      return readContent(buffer, Math.min(length, 1000), position);
    };
    const copy = copyRange(read, { offset: 0, length: 5000 }, () => Promise.reject(failure));
    await expect(copy).rejects.toBe(failure);
    await delay(10);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('throws what the read throws, and is silent about a sink that fails later', async () => {
    const broken = new Error('input/output error');
    const read: PositionedRead = (buffer, _length, position) =>
      position === 0 ? readContent(buffer, 1000, position) : Promise.reject(broken);
    const sink = () => delay(10).then(() => Promise.reject(new Error('the client has left')));
    await expect(copyRange(read, { offset: 0, length: 5000 }, sink)).rejects.toBe(broken);
    await delay(20);
  });

  it('never gives the buffer of a sink that still has it to another copy', async () => {
    const held: Buffer[] = [];
    const stuck = (chunk: Uint8Array) => {
      held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      return new Promise<void>(() => undefined);
    };
    const read: PositionedRead = (buffer, _length, position) =>
      position === 0 ? readContent(buffer, 1000, position) : Promise.reject(new Error('input/output error'));
    await expect(copyRange(read, { offset: 0, length: 5000 }, stuck)).rejects.toThrow('input/output');
    for (let round = 0; round < 10; round += 1) {
      await copyRange(
        (buffer, length) => Promise.resolve(buffer.fill(0, 0, length).length && length),
        { offset: 0, length: 5000 },
        collector().sink,
      );
    }
    expect(held[0]?.equals(content.subarray(0, 1000))).toBe(true);
  });

  it('gives its buffer back when it could not be filled', async () => {
    const broken = () => Promise.reject(new Error('input/output'));
    for (let round = 0; round < 200; round += 1) {
      const sink = () => Promise.resolve();
      await expect(copyRange(broken, { offset: 0, length: 1024 * 1024 }, sink)).rejects.toThrow('input/output');
    }
    const sizes: number[] = [];
    const read = (_: Buffer, length: number) => Promise.resolve(length);
    await copyRange(read, { offset: 0, length: 1024 * 1024 }, (chunk) =>
      Promise.resolve(void sizes.push(chunk.length)),
    );
    expect(Math.max(...sizes)).toBe(256 * 1024);
  });

  it('reads few, large parts for many readers in different places', async () => {
    const [readers, perReader] = [64, 4 * mebibyte];
    let reads = 0;
    const read: PositionedRead = async (_buffer, length) => {
      reads += 1;
      await new Promise(setImmediate);
      return length;
    };
    const shared = new SharedBlocks(read, () => readers * perReader);
    const sinkOf = (index: number) => {
      let taken = index * 64 * 1024;
      // As a kernel, it takes small chunks at once and then nothing for a while.
      return async (chunk: Uint8Array) => {
        const before = Math.floor(taken / (256 * 1024));
        taken += chunk.length;
        if (Math.floor(taken / (256 * 1024)) === before) return;
        for (let turns = 0; turns < 20; turns += 1) await new Promise(setImmediate);
      };
    };
    await Promise.all(
      Array.from({ length: readers }, (_, index) =>
        copyRange(read, { offset: index * perReader, length: perReader }, sinkOf(index), undefined, shared),
      ),
    );
    shared.close();
    expect(reads).toBeLessThan((1.25 * readers * perReader) / (256 * 1024));
  });

  it('lets others have all blocks that stalled readers hold, also those they have not begun to send', async () => {
    vi.useFakeTimers();
    const read: PositionedRead = (_buffer, length) => Promise.resolve(length);
    const shared = new SharedBlocks(read, () => 64 * mebibyte);
    const release: (() => void)[] = [];
    const stuck = () => new Promise<void>((resolve) => release.push(resolve));
    try {
      const copies = Array.from({ length: 10 }, (_, index) =>
        copyRange(read, { offset: index * mebibyte, length: 512 * 1024 }, stuck, undefined, shared),
      );
      await vi.advanceTimersByTimeAsync(1_500);
      const blocks = [];
      for (let index = 0; index < 48; index += 1)
        blocks.push(await shared.borrow(32 * mebibyte + index * 256 * 1024, 1));
      expect(blocks.filter((block) => block === undefined)).toEqual([]);
      for (const block of blocks) block?.release();
      while (release.length > 0) {
        for (const resolve of release.splice(0)) resolve();
        await vi.advanceTimersByTimeAsync(1);
      }
      await Promise.all(copies);
    } finally {
      vi.useRealTimers();
      shared.close();
    }
  });
});
