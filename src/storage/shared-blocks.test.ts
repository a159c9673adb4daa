import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { copyRange } from './copy.js';
import type { PositionedRead } from './positioned-read.js';
import { SharedBlocks } from './shared-blocks.js';

const mebibyte = 1024 * 1024;

function sourceOf(content: Buffer, size = () => content.length) {
  const reads: number[] = [];
  const read: PositionedRead = (buffer, length, position) => {
    reads.push(position);
    return Promise.resolve(content.copy(buffer, 0, position, position + length));
  };
  return { read, reads, shared: new SharedBlocks(read, size) };
}

async function collect({ read, shared }: ReturnType<typeof sourceOf>, offset: number, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await copyRange(
    read,
    { offset, length },
    async (chunk) => {
      await new Promise(setImmediate);
      chunks.push(Buffer.from(chunk));
    },
    undefined,
    shared,
  );
  return Buffer.concat(chunks);
}

describe('SharedBlocks', () => {
  it('reads once for all who read at the same time, and gives each its own range', async () => {
    const content = randomBytes(3 * mebibyte + 17);
    const source = sourceOf(content);
    const ranges = Array.from({ length: 50 }, (_, index) => ({
      offset: index * 1009,
      length: content.length - index * 2003,
    }));
    const copies = await Promise.all(
      ranges.map(({ offset, length }) => collect(source, offset, Math.min(length, content.length - offset))),
    );
    for (const [index, copy] of copies.entries()) {
      const { offset, length } = ranges[index]!;
      expect(copy.equals(content.subarray(offset, offset + Math.min(length, content.length - offset)))).toBe(true);
    }
    expect(source.reads.length).toBe(Math.ceil(content.length / (256 * 1024)));
    source.shared.close();
  });

  it('reads on where a growing source has grown', async () => {
    const content = randomBytes(mebibyte);
    let size = 1000;
    const source = sourceOf(content, () => size);
    expect((await collect(source, 0, 1000)).equals(content.subarray(0, 1000))).toBe(true);
    size = content.length;
    expect((await collect(source, 0, size)).equals(content)).toBe(true);
    expect(source.reads[1]).toBe(1000);
    source.shared.close();
  });

  it('gets its blocks back from readers who leave in the middle', async () => {
    const content = randomBytes(3 * mebibyte);
    for (let round = 0; round < 100; round += 1) {
      const { read, shared } = sourceOf(content);
      let chunks = 0;
      const sink = () => (++chunks < 2 ? Promise.resolve() : Promise.reject(new Error('the client has left')));
      await expect(copyRange(read, { offset: 0, length: content.length }, sink, undefined, shared)).rejects.toThrow();
      shared.close();
    }
    const { shared } = sourceOf(content);
    const lent = await shared.borrow(0, 1);
    expect(lent).toBeDefined();
    lent?.release();
    shared.close();
  });

  it('has no block beyond its budget, and takes the memory of those who left', async () => {
    const content = Buffer.alloc(64 * mebibyte);
    const first = sourceOf(content);
    const held = [];
    for (let position = 0; position < content.length; position += 256 * 1024) {
      const lent = await first.shared.borrow(position, 1);
      if (lent) held.push(lent);
    }
    expect(held.length).toBe(48);
    const second = sourceOf(content);
    expect(await second.shared.borrow(0, 1)).toBeUndefined();
    expect((await collect(second, 5, mebibyte)).length).toBe(mebibyte);
    held[0]?.release();
    expect(await second.shared.borrow(0, 1)).toBeDefined();
    for (const lent of held) lent.release();
    first.shared.close();
    second.shared.close();
  });

  it('tells every reader of a block that it could not be read, and tries again for the next', async () => {
    const state = { isBroken: true };
    const read: PositionedRead = (buffer, length) =>
      state.isBroken
        ? Promise.reject(new Error('input/output'))
        : Promise.resolve(buffer.fill(7, 0, length).subarray(0, length).length);
    const shared = new SharedBlocks(read, () => 1000);
    const both = await Promise.allSettled([shared.borrow(0, 10), shared.borrow(5, 10)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    state.isBroken = false;
    const lent = await shared.borrow(0, 1000);
    expect(lent?.bytes.every((byte) => byte === 7)).toBe(true);
    lent?.release();
    shared.close();
  });

  it('does not wait for ever for bytes that are not there', async () => {
    const source = sourceOf(Buffer.alloc(10), () => 1000);
    await expect(source.shared.borrow(0, 1000)).rejects.toMatchObject({ kind: 'damaged' });
    source.shared.close();
  });
});
