import type { ByteRange } from '../oci/byte-range.js';
import { CopyBuffers } from './copy-buffers.js';
import { StorageError } from './storage-error.js';
import type { ChunkSink } from './storage.provider.js';

/** Reads up to `length` bytes at `position` into the buffer and returns how many; 0 at the end. */
export type PositionedRead = (buffer: Buffer, length: number, position: number) => Promise<number>;

const buffers = new CopyBuffers();

/**
 * Copies a range with two buffers, reading one while the sink has the other: measured at twice the speed of a Readable
 * and in a third of its memory (DESIGN §5).
 * @throws StorageError `damaged` when the source ends before the range does.
 */
export async function copyRange(
  read: PositionedRead,
  range: ByteRange,
  sink: ChunkSink,
  signal?: AbortSignal,
): Promise<void> {
  const end = range.offset + range.length;
  const leave = buffers.enter();
  let sending: { buffer: Buffer; done: Promise<void> } | undefined;
  const settle = async () => {
    const { buffer, done } = sending ?? {};
    sending = undefined;
    await done;
    if (buffer) buffers.give(buffer);
  };
  try {
    for (let position = range.offset; position < end;) {
      signal?.throwIfAborted();
      const buffer = buffers.take(end - position);
      const count = await read(buffer, Math.min(buffer.length, end - position), position);
      if (count === 0) throw new StorageError('damaged', 'stored content is shorter than its size');
      position += count;
      await settle();
      const done = sink(buffer.subarray(0, count));
      // It may fail while the next chunk is being read and nobody waits for it; `settle` throws it then.
      done.catch(() => undefined);
      sending = { buffer, done };
    }
    await settle();
  } finally {
    // After an error the sink may still have a buffer: that one is not given back, so that nobody reuses it.
    leave();
  }
}
