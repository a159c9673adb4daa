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
    const borrowed = await shared.borrow(0, 1);
    expect(borrowed).toBeDefined();
    borrowed?.release();
    shared.close();
  });

  it('has no block beyond its budget, and takes the memory of those who left', async () => {
    const content = Buffer.alloc(64 * mebibyte);
    const first = sourceOf(content);
    const held = [];
    for (let position = 0; position < content.length; position += 256 * 1024) {
      const borrowed = await first.shared.borrow(position, 1);
      if (borrowed) held.push(borrowed);
    }
    expect(held.length).toBe(48);
    const second = sourceOf(content);
    expect(await second.shared.borrow(0, 1)).toBeUndefined();
    expect((await collect(second, 5, mebibyte)).length).toBe(mebibyte);
    held[0]?.release();
    const freed = await second.shared.borrow(0, 1);
    expect(freed).toBeDefined();
    freed?.release();
    for (const borrowed of held) borrowed.release();
    first.shared.close();
    second.shared.close();
  });

  it('has blocks for others while those of stalled readers are taken, up to as many again', async () => {
    const content = Buffer.alloc(64 * mebibyte);
    const { shared } = sourceOf(content);
    const borrow = async (index: number) => shared.borrow(index * 256 * 1024, 1);
    const stalled = [];
    for (let index = 0; index < 48; index += 1) stalled.push(await borrow(index));
    const also = await borrow(0);
    expect(await borrow(48)).toBeUndefined();
    expect(shared.isContended).toBe(false);
    for (const borrowed of stalled) borrowed?.stall?.();
    expect(shared.isContended).toBe(true);
    const others = [];
    for (let index = 48; index < 95; index += 1) others.push(await borrow(index));
    expect(others.every((borrowed) => borrowed !== undefined)).toBe(true);
    // Another reader, which does not stall, has the first block.
    expect(await borrow(95)).toBeUndefined();
    also?.release();
    for (const borrowed of stalled) borrowed?.release();
    expect(shared.isContended).toBe(false);
    // What they had above the budget is gone.
    const last = await borrow(96);
    expect(last).toBeDefined();
    expect(await borrow(97)).toBeUndefined();
    for (const borrowed of [last, ...others]) borrowed?.release();
    shared.close();
  });

  it('has another block as soon as only stalled readers have one, in any order of leaving', async () => {
    const { shared } = sourceOf(Buffer.alloc(64 * mebibyte));
    const borrow = async (index: number) => shared.borrow(index * 256 * 1024, 1);
    const held = [];
    for (let index = 0; index < 48; index += 1) held.push(await borrow(index));
    const also = await borrow(0);
    held[0]?.stall?.();
    also?.release();
    expect(await borrow(48)).toBeUndefined();
    // Said again for as long as it is so.
    held[0]?.stall?.();
    const other = await borrow(48);
    expect(other).toBeDefined();
    for (const borrowed of [other, ...held]) borrowed?.release();
    shared.close();
  });

  it('lets a reader wait who is ahead of others, and not of those who are slow, far behind or beside it', async () => {
    const { shared } = sourceOf(Buffer.alloc(32 * mebibyte));
    const cursor = (position: number, isSlow = false) => ({ position, isSlow });
    const first = cursor(16 * mebibyte);
    shared.enter(first);
    expect(shared.isAhead(first)).toBe(false);
    for (const other of [cursor(0), cursor(15 * mebibyte, true), cursor(16 * mebibyte), cursor(17 * mebibyte)]) {
      shared.enter(other);
    }
    expect(shared.isAhead(first)).toBe(false);
    const behind = cursor(15 * mebibyte);
    shared.enter(behind);
    expect(shared.isAhead(first)).toBe(true);
    const borrowed = await shared.borrow(first.position, 1);
    expect(shared.isAhead(first)).toBe(false);
    borrowed?.release();
    shared.close();
  });

  it('copies what a block has, and reads nothing for it', async () => {
    const content = randomBytes(mebibyte);
    const { shared, reads } = sourceOf(content, () => 300_000);
    const target = Buffer.alloc(1000);
    expect(shared.copyInto(target, 0)).toBe(0);
    for (const position of [0, 262_144]) (await shared.borrow(position, 1))?.release();
    expect([shared.copyInto(target, 500), target.equals(content.subarray(500, 1500))]).toEqual([1000, true]);
    // No further than its block, and than what has come of that.
    expect(shared.copyInto(target, 262_144 - 10)).toBe(10);
    expect(shared.copyInto(target, 300_000 - 10)).toBe(10);
    expect(shared.copyInto(target, 300_000)).toBe(0);
    expect(reads.length).toBe(2);
    shared.close();
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
    const borrowed = await shared.borrow(0, 1000);
    expect(borrowed?.bytes.every((byte) => byte === 7)).toBe(true);
    borrowed?.release();
    shared.close();
  });

  it('does not wait for ever for bytes that are not there', async () => {
    const source = sourceOf(Buffer.alloc(10), () => 1000);
    await expect(source.shared.borrow(0, 1000)).rejects.toMatchObject({ kind: 'damaged' });
    source.shared.close();
  });
});
