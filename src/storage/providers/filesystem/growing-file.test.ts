import { randomBytes } from 'node:crypto';
import { open, rm, mkdtemp, readFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collector } from '../../testing/content.js';
import { GrowingFile } from './growing-file.js';
import { toWriteError } from './storage-errors.js';

const kibibyte = 1024;
const block = 256 * kibibyte;

describe('GrowingFile', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'growing-file-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** @param write in place of the handle's own. */
  async function make(write?: (handle: FileHandle, ...args: [Uint8Array, number, number, number]) => Promise<unknown>) {
    const path = join(folder, 'file');
    const handle = await open(path, 'w+');
    const proxy = new Proxy(handle, {
      get: (target, key) => {
        if (key === 'write' && write)
          return (bytes: Uint8Array, from: number, length: number, at: number) =>
            write(target, bytes, from, length, at);
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const file = new GrowingFile(proxy, (error) => toWriteError(error, 'write'));
    const read = async (offset: number, length: number) => {
      const { sink, content } = collector();
      await file.copy({ offset, length }, sink);
      return content();
    };
    return { file, path, read };
  }

  it('gives what was appended at any moment, and has it in the file in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 3 * block }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }),
        async (sizes, places) => {
          const content = randomBytes(sizes.reduce((sum, size) => sum + size, 0));
          const { file, path, read } = await make();
          let end = 0;
          const reads: Promise<unknown>[] = [];
          for (const size of sizes) {
            await file.append(content.subarray(end, (end += size)));
            expect(file.size).toBe(end);
            for (const place of places) {
              const [offset, until] = [Math.floor(place * end), end];
              const wanted = content.subarray(offset, until);
              reads.push(read(offset, until - offset).then((got) => expect(got.equals(wanted)).toBe(true)));
            }
          }
          await Promise.all(reads);
          await file.flush();
          expect((await readFile(path)).equals(content)).toBe(true);
          await file.close();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('gives a slow reader what is not in the file yet', async () => {
    const { file } = await make();
    const content = randomBytes(2 * block + 1000);
    for (const [from, to] of [
      [0, block],
      [block, 2 * block],
      [2 * block, content.length],
    ] as const)
      await file.append(content.subarray(from, to));
    const chunks: Buffer[] = [];
    await file.copy({ offset: block - 1000, length: block + 2000 }, async (chunk) => {
      chunks.push(Buffer.from(chunk));
      await new Promise((resolve) => setTimeout(resolve, chunks.length === 1 ? 300 : 0));
    });
    expect(Buffer.concat(chunks).equals(content.subarray(block - 1000))).toBe(true);
    await file.close();
  });

  it('takes more while a block is written, and waits when the disk falls behind', async () => {
    const release: (() => void)[] = [];
    const { file } = await make(async (handle, bytes, from, length, at) => {
      if (at >= block) await new Promise<void>((resolve) => release.push(resolve));
      return handle.write(bytes, from, length, at);
    });
    const content = randomBytes(block);
    await file.append(content);
    for (let blocks = 0; blocks < 2; blocks += 1) await file.append(content);
    expect(file.size).toBe(3 * block);
    let isWaiting = true;
    const third = file.append(content).then(() => (isWaiting = false));
    await new Promise(setImmediate);
    expect(isWaiting).toBe(true);
    const pump = setInterval(() => release.shift()?.(), 1);
    await third;
    await file.flush();
    clearInterval(pump);
    await file.close();
  });

  it.each([0, 100, 2 * block, 2 * block + 100_000])(
    'lets everybody read all that it took when the disk takes %i bytes',
    async (space) => {
      const { file, read } = await make((handle, bytes, from, length, at) => {
        const fits = Math.min(length, space - at);
        if (fits <= 0) return Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
        return handle.write(bytes, from, fits, at);
      });
      const content = randomBytes(20 * block);
      let end = 0;
      const fill = async () => {
        for (; end < content.length; end += 70_000) await file.append(content.subarray(end, end + 70_000));
      };
      await expect(fill()).rejects.toMatchObject({ kind: 'full' });
      expect(file.size).toBeGreaterThanOrEqual(space);
      expect(file.size).toBeLessThanOrEqual(space + 4 * block);
      expect((await read(0, file.size)).equals(content.subarray(0, file.size))).toBe(true);
      const { size } = file;
      await expect(file.append(content)).rejects.toMatchObject({ kind: 'full' });
      expect(file.size).toBe(size);
      await expect(file.flush()).rejects.toMatchObject({ kind: 'full' });
      await file.close();
    },
  );

  it('gives its blocks back, whatever became of it', async () => {
    const fails = () => Promise.reject(Object.assign(new Error('broken'), { code: 'EIO' }));
    for (let round = 0; round < 200; round += 1) {
      const { file } = await make((handle, bytes, from, length, at) =>
        at >= block ? fails() : handle.write(bytes, from, length, at),
      );
      await file.append(randomBytes(block));
      await file.append(Buffer.alloc(block + 1)).catch(() => undefined);
      await file.close();
    }
    // The blocks of all files together have room for 48: with any of them lost this one would write as it comes.
    const { file } = await make(() => new Promise(() => undefined));
    void file.append(Buffer.alloc(1));
    await file.close();
  });
});
