import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryProvider } from '../../../storage/providers/memory/memory.provider.js';
import { StorageError } from '../../../storage/storage-error.js';
import type { Ingest } from '../../../storage/storage.provider.js';
import { collector, sample } from '../../../storage/testing/content.js';
import { AbandonedError, DownloadBuffer, type BufferReader } from './download.buffer.js';

const kibibyte = 1024;
const window = 1024 * kibibyte;
const full = new StorageError('full', 'no space is left');
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A buffer whose storage is full after `space` bytes, perhaps within a chunk; `undefined` is no storage at all. */
async function make(space: number | undefined, readers = 1) {
  const ingest = await new MemoryProvider().createIngest();
  const limited: Ingest = {
    get size() {
      return ingest.size;
    },
    append: async (chunk) => {
      const left = (space ?? 0) - ingest.size;
      if (chunk.length <= left) return ingest.append(chunk);
      if (left > 0) await ingest.append(chunk.subarray(0, left));
      throw full;
    },
    copy: (range, sink, signal) => ingest.copy(range, sink, signal),
    commit: (key) => ingest.commit(key),
    abort: () => ingest.abort(),
    close: () => ingest.close(),
  };
  const all = new Set<BufferReader>();
  const buffer = new DownloadBuffer(space === undefined ? full : limited, all);
  const join = () => {
    const reader = { position: 0 };
    all.add(reader);
    return reader;
  };
  const leave = (reader: BufferReader) => {
    all.delete(reader);
    buffer.trim();
  };
  const first = Array.from({ length: readers }, join);
  const read = async (reader: BufferReader, offset: number, length: number) => {
    const { sink, content } = collector();
    await buffer.copy(reader, { offset, length }, sink);
    return content();
  };
  return { buffer, readers: first, join, leave, read };
}

describe('DownloadBuffer', () => {
  it('gives back what it got, wherever the storage stopped taking it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 20 }),
        fc.option(fc.nat({ max: 60_000 }), { nil: undefined }),
        fc.nat({ max: 100_000 }),
        async (sizes, space, cut) => {
          const { buffer, readers, read } = await make(space, 1);
          const content = sample(sizes.reduce((sum, size) => sum + size, 0));
          let offset = 0;
          for (const size of sizes) await buffer.append(content.subarray(offset, (offset += size)));
          expect(buffer.size).toBe(content.length);
          expect(buffer.storageFailure).toBe(space === undefined || space < content.length ? full : undefined);
          const middle = cut % (content.length + 1);
          const parts = [await read(readers[0]!, 0, middle), await read(readers[0]!, middle, content.length - middle)];
          expect(Buffer.concat(parts).equals(content)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes no more than a window beyond the slowest reader when the storage is full', async () => {
    const { buffer, readers, read, join } = await make(0, 1);
    const slow = readers[0]!;
    const fast = join();
    const content = sample(3 * window);
    const chunk = 64 * kibibyte;
    let sent = 0;
    const sending = (async () => {
      for (; sent < content.length; sent += chunk) await buffer.append(content.subarray(sent, sent + chunk));
    })();
    await settle();
    expect(buffer.size).toBe(window);
    await read(fast, 0, window);
    await settle();
    expect([buffer.size, buffer.isWhole]).toEqual([window, true]);
    expect((await read(slow, 0, 2 * chunk)).equals(content.subarray(0, 2 * chunk))).toBe(true);
    await settle();
    expect([buffer.size, buffer.isWhole]).toEqual([window + 2 * chunk, false]);
    let position = 2 * chunk;
    while (position < content.length) {
      const length = buffer.size - position;
      expect((await read(slow, position, length)).equals(content.subarray(position, position + length))).toBe(true);
      position += length;
      if (fast.position < position) await read(fast, fast.position, position - fast.position);
      await settle();
    }
    await sending;
  });

  it('continues when the slowest reader leaves', async () => {
    const { buffer, readers, join, leave, read } = await make(0, 1);
    const fast = join();
    await buffer.append(sample(window));
    const next = buffer.append(sample(1000));
    await read(fast, 0, window);
    await settle();
    expect(buffer.size).toBe(window);
    leave(readers[0]!);
    await next;
    expect(buffer.size).toBe(window + 1000);
  });

  it('keeps nothing for those who only want what comes later', async () => {
    const { buffer, readers } = await make(0, 1);
    buffer.advance(readers[0]!, 5 * window);
    for (let count = 0; count < 40; count += 1) await buffer.append(sample(128 * kibibyte));
    expect(buffer.size).toBe(5 * window);
  });

  it('is abandoned when the storage is full and there is no reader', async () => {
    const { buffer, readers, leave } = await make(0, 1);
    await buffer.append(sample(window));
    const next = buffer.append(sample(1000));
    leave(readers[0]!);
    await expect(next).rejects.toBeInstanceOf(AbandonedError);
  });

  it('continues without readers while the storage takes everything', async () => {
    const { buffer } = await make(Infinity, 0);
    for (let count = 0; count < 3; count += 1) await buffer.append(sample(window));
    expect([buffer.size, buffer.isWhole, buffer.storageFailure]).toEqual([3 * window, true, undefined]);
  });

  it('has lost nothing, and is whole, as long as the storage has the beginning and the window the rest', async () => {
    const { buffer, readers, read } = await make(500, 1);
    const content = sample(1_000);
    await buffer.append(content);
    expect(buffer.isWhole).toBe(true);
    expect((await read(readers[0]!, 200, 700)).equals(content.subarray(200, 900))).toBe(true);
  });

  it('does not read bytes that it has released', async () => {
    const { buffer, readers, read, join, leave } = await make(0, 1);
    await buffer.append(sample(1_000));
    await read(readers[0]!, 0, 1_000);
    const late = join();
    await expect(read(late, 0, 10)).rejects.toBeInstanceOf(AbandonedError);
    leave(late);
  });

  it('stops copying when the signal says so', async () => {
    const { buffer, readers } = await make(0, 1);
    for (let count = 0; count < 3; count += 1) await buffer.append(sample(1_000));
    const aborter = new AbortController();
    const copied: number[] = [];
    const copy = buffer.copy(
      readers[0]!,
      { offset: 0, length: 3_000 },
      (bytes) => {
        copied.push(bytes.length);
        aborter.abort(new Error('left'));
        return Promise.resolve();
      },
      aborter.signal,
    );
    await expect(copy).rejects.toThrow('left');
    expect(copied).toEqual([1_000]);
  });

  it('throws errors that are not of the storage', async () => {
    const failure = new TypeError('a mistake');
    const ingest = { size: 0, append: () => Promise.reject(failure) } as unknown as Ingest;
    const buffer = new DownloadBuffer(ingest, new Set());
    await expect(buffer.append(sample(10))).rejects.toBe(failure);
  });

  it('restarts, with storage or without', async () => {
    const { buffer, readers, read } = await make(500, 1);
    await buffer.append(sample(1_000, 'old'));
    const again = sample(2_000, 'new');
    for (const next of [full, await new MemoryProvider().createIngest()]) {
      buffer.restart(next);
      expect([buffer.size, buffer.isWhole]).toEqual([0, true]);
      await buffer.append(again);
      readers[0]!.position = 0;
      expect((await read(readers[0]!, 0, 2_000)).equals(again)).toBe(true);
      expect(buffer.storageFailure).toBe(next === full ? full : undefined);
    }
  });
});
