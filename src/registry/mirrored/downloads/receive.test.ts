import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { hashHere } from '../../../config/hashing/content-hash.js';
import { Digest } from '../../../oci/digest.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import { receive, skipSamePrefix } from './receive.js';

afterEach(() => vi.useRealTimers());

/** What HTTP's parser gives: a stream that knows whether it ended as it should. */
function makeBody(isComplete = true) {
  const stream = new PassThrough();
  Object.defineProperty(stream, 'complete', { get: () => isComplete && stream.readableEnded });
  return { stream, body: stream as unknown as IncomingMessage };
}

function take() {
  const taken: Buffer[] = [];
  return {
    take: (chunk: Buffer) => {
      taken.push(Buffer.from(chunk));
      return Promise.resolve();
    },
    text: () => Buffer.concat(taken).toString(),
  };
}

describe('receive', () => {
  it('gives every chunk in order, and undefined at the end', async () => {
    const { stream, body } = makeBody();
    const sink = take();
    const received = receive(body, 'host', sink.take);
    stream.write('ab');
    stream.write('cd');
    stream.end('e');
    expect(await received).toBeUndefined();
    expect([sink.text(), stream.destroyed]).toEqual(['abcde', true]);
  });

  it('says that it was cut when the stream broke, and gives what came before', async () => {
    const { stream, body } = makeBody();
    const sink = take();
    const received = receive(body, 'host', sink.take);
    stream.write('ab');
    setImmediate(() => stream.destroy(new Error('aborted')));
    expect(await received).toMatchObject({ kind: 'unavailable', message: 'host cut the download' });
    expect(sink.text()).toBe('ab');
  });

  it('says that it was cut when it ended otherwise than HTTP says', async () => {
    const { stream, body } = makeBody(false);
    const received = receive(body, 'host', take().take);
    stream.end('ab');
    expect(await received).toMatchObject({ kind: 'unavailable' });
  });

  it('throws when a chunk cannot be stored, and destroys the body', async () => {
    const { stream, body } = makeBody();
    const failure = new Error('too many bytes');
    const received = receive(body, 'host', () => Promise.reject(failure));
    stream.write('ab');
    await expect(received).rejects.toBe(failure);
    expect(stream.destroyed).toBe(true);
  });

  it('waits for twenty seconds for the next byte, and no longer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { stream, body } = makeBody();
    const received = receive(body, 'host', take().take);
    await vi.advanceTimersByTimeAsync(19_000);
    stream.write('a');
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(19_999);
    expect(stream.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await received).toMatchObject({ kind: 'timeout', message: 'host stopped sending' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not blame the upstream for a reader that takes its time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { stream, body } = makeBody();
    let takeIt: (() => void) | undefined;
    const received = receive(body, 'host', () => new Promise((resolve) => (takeIt = resolve)));
    stream.write('ab');
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(stream.destroyed).toBe(false);
    takeIt?.();
    stream.end();
    expect(await received).toBeUndefined();
  });
});

describe('skipSamePrefix', () => {
  const digest = Digest.of(Buffer.from('any'), 'sha256');
  const hexOf = (text: string) => () => Promise.resolve(Digest.of(Buffer.from(text)).hex);
  const bodyOf = (body: IncomingMessage, offset = 0): BlobBody => ({
    offset,
    size: undefined,
    entityTag: undefined,
    body,
    host: 'host',
    counts: { received: 0 },
  });

  it.each([['abcdef'], ['abc', 'def'], ['a', 'b', 'c', 'd', 'ef'], ['ab', 'cdef']])(
    'leaves the body at the first new byte, however it comes: %j',
    async (...chunks) => {
      const { stream, body } = makeBody();
      for (const chunk of chunks) stream.write(chunk);
      stream.end();
      expect(await skipSamePrefix(bodyOf(body), 3, digest, hexOf('abc'))).toBe(true);
      const sink = take();
      expect(await receive(body, 'host', sink.take)).toBeUndefined();
      expect(sink.text()).toBe('def');
    },
  );

  it('waits for what has not come yet', async () => {
    const { stream, body } = makeBody();
    const skipped = skipSamePrefix(bodyOf(body), 3, digest, hexOf('abc'));
    for (const chunk of ['a', 'b', 'c', 'd']) {
      await new Promise((resolve) => setImmediate(resolve));
      stream.write(chunk);
    }
    expect(await skipped).toBe(true);
  });

  it.each([
    ['other bytes', 'abX', 0],
    ['another offset', 'abcdef', 2],
  ])('refuses %s', async (_, text, offset) => {
    const { stream, body } = makeBody();
    stream.end(text);
    expect(await skipSamePrefix(bodyOf(body, offset), 3, digest, hexOf('abc'))).toBe(false);
  });

  it.each(['ended', 'broke'])('refuses a body that %s before', async (how) => {
    const { stream, body } = makeBody();
    stream.on('error', () => undefined);
    stream.write('ab');
    setImmediate(() => (how === 'ended' ? stream.end() : stream.destroy(new Error('aborted'))));
    expect(await skipSamePrefix(bodyOf(body), 3, digest, hexOf('abc'))).toBe(false);
  });

  it('gives up after twenty seconds without a byte', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { stream, body } = makeBody();
    const skipped = skipSamePrefix(bodyOf(body), 3, digest, hexOf('abc'));
    stream.write('ab');
    await vi.advanceTimersByTimeAsync(20_001);
    expect(await skipped).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves the hash of what is there as it was', async () => {
    const { stream, body } = makeBody();
    stream.end('abc');
    const have = hashHere('sha256');
    void have.update(Buffer.from('abc'));
    await skipSamePrefix(bodyOf(body), 3, digest, () => have.digest());
    void have.update(Buffer.from('def'));
    expect(await have.digest()).toBe(Digest.of(Buffer.from('abcdef')).hex);
  });
});
