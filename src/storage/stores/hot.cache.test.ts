import { describe, expect, it } from 'vitest';
import { HotCache } from './hot.cache.js';

const text = (value: string) => Buffer.from(value);
const bytes = (value: Buffer) => value.length;

describe('HotCache', () => {
  it('reads once and then answers from memory', async () => {
    const cache = new HotCache(10_000);
    let reads = 0;
    const read = () => Promise.resolve(text(`read ${(reads += 1)}`));
    await cache.getOrRead('a/b', read, bytes);
    expect((await cache.getOrRead('a/b', read, bytes))?.toString()).toBe('read 1');
    expect(reads).toBe(1);
  });

  it('does not remember that something is absent', async () => {
    const cache = new HotCache(10_000);
    await cache.getOrRead('a/b', () => Promise.resolve(undefined), bytes);
    expect((await cache.getOrRead('a/b', () => Promise.resolve(text('there')), bytes))?.toString()).toBe('there');
  });

  it('forgets what is replaced, and does not remember a read that began before the write', async () => {
    const cache = new HotCache(10_000);
    let finish: (value: Buffer) => void = () => undefined;
    const reading = cache.getOrRead('a/b', () => new Promise<Buffer>((resolve) => (finish = resolve)), bytes);
    cache.forget('a/b');
    finish(text('old'));
    await reading;
    expect(cache.get('a/b')).toBeUndefined();
    await cache.getOrRead('a/b', () => Promise.resolve(text('new')), bytes);
    cache.forget('a/b');
    expect(cache.get('a/b')).toBeUndefined();
  });

  it('holds no more bytes than it may, whatever is read', async () => {
    const cache = new HotCache(10_000);
    for (let index = 0; index < 1_000; index += 1) {
      await cache.getOrRead(`key/${index}`, () => Promise.resolve(Buffer.alloc(index * 13)), bytes);
      expect(cache.size).toBeLessThanOrEqual(10_000);
    }
  });

  it('reads again after its lifetime, and not before', async () => {
    const cache = new HotCache(10_000, 50);
    let reads = 0;
    const read = () => cache.getOrRead('a/b', () => Promise.resolve(text(`read ${(reads += 1)}`)), bytes);
    await read();
    expect((await read())?.toString()).toBe('read 1');
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect((await read())?.toString()).toBe('read 2');
  });

  it('remembers nothing when it may hold nothing', async () => {
    const cache = new HotCache(0);
    await cache.getOrRead('a/b', () => Promise.resolve(text('x')), bytes);
    expect(cache.get('a/b')).toBeUndefined();
  });
});
