import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { HashLost, hashHere, type ContentHash } from './content-hash.js';
import { source } from './hash.ring.js';
import { HashThread } from './hash.thread.js';

const kibibyte = 1024;
const threads: HashThread[] = [];
const make = (...options: ConstructorParameters<typeof HashThread>) => {
  const thread = new HashThread(...options);
  threads.push(thread);
  return thread;
};
afterEach(() => Promise.all(threads.splice(0).map((thread) => thread.close())));

const digestOf = (bytes: Uint8Array, algorithm = 'sha256') => createHash(algorithm).update(bytes).digest('hex');

/** Adds content in pieces from a buffer that is overwritten afterwards. */
async function feed(hash: ContentHash, content: Uint8Array, sizes: readonly number[]): Promise<void> {
  const buffer = Buffer.alloc(Math.max(...sizes));
  for (let offset = 0, piece = 0; offset < content.length; piece += 1) {
    const part = content.subarray(offset, offset + sizes[piece % sizes.length]!);
    buffer.set(part);
    const full = hash.update(buffer.subarray(0, part.length));
    buffer.fill(0);
    await full;
    offset += part.length;
  }
}

describe.each(['sha256', 'sha512'])('a hash of %s in a thread', (algorithm) => {
  it.each([[[1]], [[300 * kibibyte, 1, 17, 0x10000]], [[256 * kibibyte]], [[3_000_000]]])(
    'is that of the content in pieces of %s bytes',
    async (sizes) => {
      const content = randomBytes(sizes[0] === 1 ? 5_000 : 5_000_000);
      const hash = make().start(algorithm);
      await feed(hash, content, sizes);
      expect(await hash.digest()).toBe(digestOf(content, algorithm));
      hash.end();
    },
  );
});

describe('the thread for hashes', () => {
  it('takes many hashes side by side, each with its own bytes', async () => {
    const thread = make();
    const contents = Array.from({ length: 16 }, (_, index) => randomBytes(1_000_000 + index));
    const hashes = contents.map((content) => ({ content, hash: thread.start('sha256') }));
    await Promise.all(hashes.map(({ content, hash }, index) => feed(hash, content, [7_000 * (index + 1), 99])));
    const digests = await Promise.all(hashes.map(({ hash }) => hash.digest()));
    expect(digests).toEqual(contents.map((content) => digestOf(content)));
  });

  it('tells a digest on the way, after which more bytes may follow', async () => {
    const hash = make().start('sha256');
    const content = randomBytes(600_000);
    await feed(hash, content.subarray(0, 400_000), [100_000]);
    expect(await hash.digest()).toBe(digestOf(content.subarray(0, 400_000)));
    await feed(hash, content.subarray(400_000), [100_000]);
    expect(await hash.digest()).toBe(digestOf(content));
  });

  it('lets its caller wait while it is behind, and keeps no more than it has room for', async () => {
    const thread = make();
    const hash = thread.start('sha256');
    const content = randomBytes(256 * kibibyte);
    let behind: Promise<void> | undefined;
    let pieces = 0;
    for (; !behind && pieces < 10_000; pieces += 1) behind = hash.update(content);
    expect(behind).toBeInstanceOf(Promise);
    await behind;
    const whole = createHash('sha256');
    for (let piece = 0; piece < pieces; piece += 1) whole.update(content);
    expect(await hash.digest()).toBe(whole.digest('hex'));
  });

  it('allocates no buffer for each piece that finds no room', async () => {
    const thread = make();
    const content = randomBytes(256 * kibibyte);
    const { arrayBuffers } = process.memoryUsage();
    let most = 0;
    const send = async () => {
      const hash = thread.start('sha256');
      for (let piece = 0; piece < 32; piece += 1) {
        const full = hash.update(content);
        most = Math.max(most, process.memoryUsage().arrayBuffers - arrayBuffers);
        await full;
      }
      const digest = await hash.digest();
      hash.end();
      return digest;
    };
    const digests = await Promise.all(Array.from({ length: 16 }, send));
    expect(new Set(digests)).toEqual(new Set([digestOf(Buffer.concat(Array<Buffer>(32).fill(content)))]));
    // One for each hash that waits, and the thread's own memory.
    expect(most).toBeLessThan(16 * content.length + 4 * 1024 * kibibyte);
  });

  it('is one thread, which starts with the first hash and ends some time after the last one', async () => {
    const thread = make(50);
    expect(thread.id).toBeUndefined();
    const [one, two] = [thread.start('sha256'), thread.start('sha256')];
    const { id } = thread;
    expect(id).toBeGreaterThan(0);
    one.end();
    await sleep(150);
    expect(thread.id).toBe(id);
    expect(await two.digest()).toBe(digestOf(Buffer.alloc(0)));
    two.end();
    for (let left = 100; thread.id !== undefined && left > 0; left -= 1) await sleep(20);
    expect(thread.id).toBeUndefined();
    const later = thread.start('sha256');
    expect(await later.digest()).toBe(digestOf(Buffer.alloc(0)));
    expect(thread.id).not.toBe(id);
  });

  it('loses its hashes when it ends, and gives no wrong one', async () => {
    const thread = make();
    const hash = thread.start('sha256');
    const gone = hash.digest();
    await gone;
    const pending = hash.update(randomBytes(1_000_000)) ?? Promise.resolve();
    await thread.close();
    await pending;
    await expect(hash.digest()).rejects.toBeInstanceOf(HashLost);
    expect(hash.update(randomBytes(10))).toBeUndefined();
    await expect(hash.digest()).rejects.toBeInstanceOf(HashLost);
    hash.end();
    expect(await thread.start('sha256').digest()).toBe(digestOf(Buffer.alloc(0)));
  });

  it.each([
    ['when it starts', 'throw new Error("no thread")'],
    [
      'at the tenth command',
      source.replace('done = (done + 1) | 0;', 'done = (done + 1) | 0; if (done === 10) throw 1;'),
    ],
  ])('loses its hashes when it fails %s', async (_, code) => {
    const hash = make(1_000, code).start('sha256');
    await feed(hash, randomBytes(5_000_000), [256 * kibibyte]);
    await expect(hash.digest()).rejects.toBeInstanceOf(HashLost);
  });

  it('counts as ended when it hangs', async () => {
    const hash = make(1_000, 'while (true);').start('sha256');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const fed = feed(hash, randomBytes(5_000_000), [256 * kibibyte]);
    await vi.advanceTimersByTimeAsync(10_001);
    await fed;
    vi.useRealTimers();
    await expect(hash.digest()).rejects.toBeInstanceOf(HashLost);
  });
});

it('a hash in the thread of its caller is that of the content', async () => {
  const content = randomBytes(100_000);
  const hash = hashHere('sha512');
  await feed(hash, content, [7_777]);
  expect([await hash.digest(), await hash.digest()]).toEqual(Array(2).fill(digestOf(content, 'sha512')));
});
