import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChunkSink, StoredObject, StorageProvider } from '../storage.provider.js';
import { assertSame, bytesOf, collector, mebibyte, rejects, sample, settle } from './content.js';
import type { ContractCase } from './contract-case.js';

const key = 'blobs/one';
const size = 3 * mebibyte;
const whole = { offset: 0, length: size };

/** `open`, `StoredObject` and `ChunkSink`. */
export function storedObjectContract(add: ContractCase): void {
  /** A case with an open object of 3 MiB. */
  const it = (
    name: string,
    body: (object: StoredObject, content: Buffer, provider: StorageProvider) => Promise<void>,
  ): void =>
    add(name, async (provider) => {
      const content = sample(size);
      await provider.write(key, content);
      const object = await provider.open(key);
      try {
        await body(object, content, provider);
      } finally {
        await object.close();
      }
    });

  it('has its size', (object) => {
    assert.equal(object.size, size);
    return Promise.resolve();
  });

  it('copies the whole object', async (object, content) => {
    assertSame(await bytesOf(object, whole), content);
  });

  const ranges = {
    'the first byte': [0, 1],
    'the last byte': [size - 1, 1],
    'the second half': [size / 2, size / 2],
    'bytes on both sides of each power of two': [65_535, mebibyte],
    'all but the ends': [1, size - 2],
  } as const;
  for (const [name, [offset, length]] of Object.entries(ranges)) {
    it(`copies ${name}`, async (object, content) => {
      assertSame(await bytesOf(object, { offset, length }), content.subarray(offset, offset + length));
    });
  }

  it('copies nothing for an empty range at any offset', async (object) => {
    for (const offset of [0, 1000, size]) assert.equal((await bytesOf(object, { offset, length: 0 })).length, 0);
  });

  it('copies several ranges concurrently without mixing them', async (object, content) => {
    const offsets = [0, 100_000, mebibyte, 2 * mebibyte - 1];
    const copies = await Promise.all(offsets.map((offset) => bytesOf(object, { offset, length: mebibyte })));
    for (const [index, offset] of offsets.entries()) {
      assertSame(copies[index] ?? Buffer.alloc(0), content.subarray(offset, offset + mebibyte));
    }
  });

  add('opens and copies an empty object', async (provider) => {
    await provider.write(key, Buffer.alloc(0));
    const object = await provider.open(key);
    assert.equal(object.size, 0);
    assert.equal((await bytesOf(object, { offset: 0, length: 0 })).length, 0);
    await object.close();
  });

  it('never sends more than one chunk ahead of the sink', async (object, content) => {
    const { sink: keep, content: kept } = collector();
    const waiting: (() => void)[] = [];
    const held: ChunkSink = async (chunk) => {
      await keep(chunk);
      await new Promise<void>((resolve) => waiting.push(resolve));
    };
    const ended = new AbortController();
    const copy = object.copy(whole, held).finally(() => ended.abort());
    await settle();
    assert.ok(waiting.length > 0, 'the sink got nothing');
    while (!ended.signal.aborted) {
      assert.ok(waiting.length <= 2, `the sink has ${waiting.length} chunks that it has not taken yet`);
      waiting.shift()?.();
      await delay(1);
    }
    await copy;
    assertSame(kept(), content);
  });

  it('does not change a chunk until the sink has settled', async (object, content) => {
    const check = () => {
      let position = 0;
      return async (chunk: Uint8Array) => {
        const expected = content.subarray(position, position + chunk.length);
        position += chunk.length;
        await delay(3);
        assertSame(Buffer.from(chunk), expected, 'the chunk, a moment later,');
      };
    };
    await Promise.all([object.copy(whole, check()), object.copy(whole, check()), object.copy(whole, check())]);
  });

  it('sends chunks whose size does not grow with the object', async (object) => {
    const { sink, chunks } = collector();
    await object.copy(whole, sink);
    assert.ok(Math.max(...chunks.map(({ length }) => length)) <= mebibyte, 'a chunk has more than 1 MiB');
    assert.ok(
      chunks.every(({ length }) => length > 0),
      'a chunk is empty',
    );
  });

  it('fails as damaged when the object ends before the range', async (object, content) => {
    const { sink, content: kept } = collector();
    await rejects(object.copy({ offset: size - 10, length: 11 }, sink), 'damaged');
    assert.ok(content.subarray(-10).includes(kept()), 'bytes beyond the end were invented');
  });

  it('rethrows errors of the sink unchanged and sends nothing afterwards', async (object) => {
    const failure = new Error('the client has left');
    const sinks: Record<string, () => Promise<void>> = {
      'at once': () => Promise.reject(failure),
      'a moment later': () => delay(5).then(() => Promise.reject(failure)),
      synchronously: () => {
        throw failure;
      },
    };
    for (const [when, fail] of Object.entries(sinks)) {
      let calls = 0;
      const sink = () => {
        calls += 1;
        return fail();
      };
      await assert.rejects(object.copy(whole, sink), (error) => error === failure, `the sink failed ${when}`);
      await settle();
      assert.ok(calls <= 2, `the sink that failed ${when} got ${calls} chunks`);
    }
  });

  it('can be copied again after a sink has failed', async (object, content) => {
    await assert.rejects(object.copy(whole, () => Promise.reject(new Error('gone'))));
    assertSame(await bytesOf(object, whole), content);
  });

  it('copies nothing when the signal is already aborted', async (object) => {
    const { sink, chunks } = collector();
    const reason = new Error('no longer wanted');
    await assert.rejects(object.copy(whole, sink, AbortSignal.abort(reason)), (error) => error === reason);
    assert.equal(chunks.length, 0);
  });

  it('stops when the signal is aborted, with its reason', async (object) => {
    const reason = new Error('no longer wanted');
    const abort = new AbortController();
    let calls = 0;
    const sink = () => {
      calls += 1;
      abort.abort(reason);
      return settle();
    };
    await assert.rejects(object.copy(whole, sink, abort.signal), (error) => error === reason);
    await settle();
    assert.ok(calls <= 2, `the sink got ${calls} chunks`);
  });

  it('stays readable when the object is removed', async (object, content, provider) => {
    await provider.delete(key);
    await rejects(provider.open(key), 'not-found');
    assertSame(await bytesOf(object, whole), content);
  });

  it('keeps the opened version when the object is replaced', async (object, content, provider) => {
    await provider.write(key, sample(1000, 'another'));
    assert.equal(object.size, size);
    assertSame(await bytesOf(object, whole), content);
    assert.equal((await provider.stat(key)).size, 1000);
  });

  it('is copied consistently when it is replaced during the copy', async (object, content, provider) => {
    const { sink, content: kept } = collector();
    let replaced: Promise<void> | undefined;
    await object.copy(whole, async (chunk) => {
      await sink(chunk);
      await (replaced ??= provider.write(key, sample(size, 'another')));
    });
    assertSame(kept(), content);
  });

  it('may be closed twice, and others opened from the same key stay open', async (object, content, provider) => {
    const other = await provider.open(key);
    await object.close();
    await object.close();
    assertSame(await bytesOf(other, whole), content);
    await other.close();
  });
}
