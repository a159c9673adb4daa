import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { HashThread } from '../../../config/hashing/hash.thread.js';
import { Digest } from '../../../oci/digest.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { MemoryProvider } from '../../../storage/providers/memory/memory.provider.js';
import { collector, sample } from '../../../storage/testing/content.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import { Download } from './download.js';

const kibibyte = 1024;
const block = 256 * kibibyte;

/** A download whose upstream sends what the test writes. */
function begin(content: Buffer, digest = Digest.of(content), thread?: HashThread) {
  const stream = new PassThrough();
  Object.defineProperty(stream, 'complete', { get: () => stream.readableEnded });
  const body = {
    offset: 0,
    size: content.length,
    entityTag: undefined,
    body: stream,
    host: 'upstream.test',
    counts: { received: 0 },
  } as unknown as BlobBody;
  const download = new Download(
    digest,
    RepositoryRef.parse('docker.io/library/any'),
    () => Promise.resolve(body),
    () => new MemoryProvider().createIngest(),
    Infinity,
    thread && ((algorithm) => thread.start(algorithm)),
  );
  const run = download.run();
  const follow = () => {
    const { sink, chunks, content: received } = collector();
    const follower = download.follow();
    const done = (async () => {
      await follower.ready(1_000);
      await follower.copy({ offset: 0, length: content.length }, sink);
      await follower.close();
    })();
    return { chunks, received, done };
  };
  return { download, run, stream, follow };
}

describe('the followers of a download', () => {
  it('are sent whole blocks while bytes come in small pieces, each once', async () => {
    const content = sample(4 * block);
    const { download, run, stream, follow } = begin(content);
    const followers = Array.from({ length: 5 }, follow);
    for (let offset = 0; offset < content.length; offset += 16 * kibibyte) {
      if (!stream.write(content.subarray(offset, offset + 16 * kibibyte))) await sleep(0);
    }
    stream.end();
    await Promise.all([run, ...followers.map(({ done }) => done)]);
    for (const { chunks, received } of followers) {
      expect(received().equals(content)).toBe(true);
      // The first piece, then blocks, then what was held back; and a few more when this machine was slow.
      expect(chunks.length).toBeLessThanOrEqual(32);
    }
    await download.end();
  });

  it('need not wait for a block to be full', async () => {
    const content = sample(2 * block);
    const { download, run, stream, follow } = begin(content);
    const { received, done } = follow();
    for (const size of [1, 1_000, 50_000, 100_000]) {
      const before = received().length;
      stream.write(content.subarray(before, before + size));
      await sleep(50);
      expect(received().length).toBe(before + size);
    }
    stream.end(content.subarray(received().length));
    await Promise.all([run, done]);
    expect(received().equals(content)).toBe(true);
    await download.end();
  });
});

describe('a download that is hashed in a thread', () => {
  const threads: HashThread[] = [];
  const makeThread = () => {
    const thread = new HashThread();
    threads.push(thread);
    return thread;
  };
  afterEach(() => Promise.all(threads.splice(0).map((thread) => thread.close())));

  it.each([
    ['to its end', false],
    ['until that thread ends', true],
  ])('%s is complete only with the bytes that its digest names', async (_, isLost) => {
    const content = sample(8 * block + 17);
    const wrong = Buffer.from(content);
    wrong.writeUInt8(wrong.readUInt8(5) ^ 1, 5);
    for (const [sent, isRight] of [
      [content, true],
      [wrong, false],
    ] as const) {
      const thread = makeThread();
      const { download, run, stream, follow } = begin(sent, Digest.of(content), thread);
      const ended = run.then(
        () => true,
        () => false,
      );
      const { received, done } = follow();
      const copied = done.then(
        () => true,
        () => false,
      );
      stream.write(sent.subarray(0, 4 * block));
      while (received().length < 2 * block) await sleep(1);
      if (isLost) await thread.close();
      stream.end(sent.subarray(4 * block));
      expect([await ended, await copied]).toEqual([isRight, isRight]);
      expect(received().equals(content)).toBe(isRight);
      if (!isRight) expect(received().length).toBeLessThan(content.length);
      await download.end();
    }
  });
});
