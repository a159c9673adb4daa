import assert from 'node:assert/strict';
import type { Ingest, StorageProvider } from '../storage.provider.js';
import {
  assertAbsent,
  assertSame,
  bytesOf,
  collector,
  keysUnder,
  mebibyte,
  rejects,
  rejectsAsFailure,
  sample,
} from './content.js';
import type { ContractCase } from './contract-case.js';

const key = 'blobs/one';

/** `createIngest`, `Ingest` and `sweepIngests`. */
export function ingestContract(add: ContractCase): void {
  /** A case with an empty ingest. */
  const it = (name: string, body: (ingest: Ingest, provider: StorageProvider) => Promise<void>): void =>
    add(name, async (provider) => {
      const ingest = await provider.createIngest();
      try {
        await body(ingest, provider);
      } finally {
        await ingest.abort();
        await ingest.close();
      }
    });

  it('counts what has been appended', async (ingest) => {
    assert.equal(ingest.size, 0);
    await ingest.append(sample(10));
    await ingest.append(Buffer.alloc(0));
    await ingest.append(sample(5));
    assert.equal(ingest.size, 15);
  });

  it('makes appended bytes readable at once', async (ingest) => {
    const content = sample(500_000);
    for (let done = 0; done < content.length; done += 99_999) {
      await ingest.append(content.subarray(done, done + 99_999));
      assertSame(await bytesOf(ingest, { offset: 0, length: ingest.size }), content.subarray(0, ingest.size));
      assertSame(
        await bytesOf(ingest, { offset: ingest.size - 1, length: 1 }),
        content.subarray(ingest.size - 1, ingest.size),
      );
    }
  });

  it('lets readers follow at their own pace while more is appended', async (ingest) => {
    const content = sample(2 * mebibyte);
    const follow = async () => {
      const { sink, content: kept } = collector();
      for (let position = 0; position < content.length;) {
        const length = ingest.size - position;
        await ingest.copy({ offset: position, length }, sink);
        position += length;
        if (length === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      assertSame(kept(), content);
    };
    const append = async () => {
      for (let done = 0; done < content.length; done += 65_537) {
        await ingest.append(content.subarray(done, done + 65_537));
      }
    };
    await Promise.all([append(), follow(), follow(), follow()]);
  });

  it('lets the caller reuse an appended chunk', async (ingest) => {
    const chunk = Buffer.from(sample(1000));
    await ingest.append(chunk);
    chunk.fill(0);
    assertSame(await bytesOf(ingest, { offset: 0, length: 1000 }), sample(1000));
  });

  it('fails as damaged when a range lies beyond what has been appended', async (ingest) => {
    await ingest.append(sample(10));
    await rejects(bytesOf(ingest, { offset: 5, length: 6 }), 'damaged');
  });

  it('rethrows errors of the sink and the reason of an aborted signal', async (ingest) => {
    await ingest.append(sample(10));
    const failure = new Error('the client has left');
    const range = { offset: 0, length: 10 };
    const isFailure = (error: unknown) => error === failure;
    await assert.rejects(
      ingest.copy(range, () => Promise.reject(failure)),
      isFailure,
    );
    await assert.rejects(ingest.copy(range, collector().sink, AbortSignal.abort(failure)), isFailure);
    assert.equal((await bytesOf(ingest, range)).length, 10);
  });

  it('is invisible before commit', async (ingest, provider) => {
    await provider.write('blobs/other', sample(1));
    await ingest.append(sample(mebibyte));
    await assertAbsent(provider, key);
    assert.deepEqual(await keysUnder(provider, 'blobs'), ['blobs/other']);
  });

  it('becomes visible, whole, with commit', async (ingest, provider) => {
    const content = sample(3 * mebibyte);
    for (let done = 0; done < content.length; done += 100_003) {
      await ingest.append(content.subarray(done, done + 100_003));
    }
    await ingest.commit(key);
    assertSame(await provider.read(key, content.length), content);
    assert.equal((await provider.stat(key)).size, content.length);
    assert.deepEqual(await keysUnder(provider, 'blobs'), [key]);
  });

  it('commits empty content', async (ingest, provider) => {
    await ingest.commit(key);
    assert.equal((await provider.stat(key)).size, 0);
  });

  it('stays readable after commit, until it is closed', async (ingest, provider) => {
    await ingest.append(sample(1000));
    await ingest.commit(key);
    assertSame(await bytesOf(ingest, { offset: 100, length: 900 }), sample(1000).subarray(100));
    await ingest.close();
    assertSame(await provider.read(key, 1000), sample(1000));
  });

  it('commits while others are reading it', async (ingest) => {
    const content = sample(2 * mebibyte);
    await ingest.append(content);
    const { sink, content: kept } = collector();
    let committed: Promise<void> | undefined;
    await ingest.copy({ offset: 0, length: content.length }, async (chunk) => {
      await sink(chunk);
      await (committed ??= ingest.commit(key));
    });
    assertSame(kept(), content);
  });

  it('atomically replaces an existing object without affecting its readers', async (ingest, provider) => {
    await provider.write(key, sample(mebibyte, 'old'));
    const before = await provider.open(key);
    await ingest.append(sample(1000));
    assertSame(await provider.read(key, mebibyte), sample(mebibyte, 'old'));
    await ingest.commit(key);
    assertSame(await provider.read(key, mebibyte), sample(1000));
    assertSame(await bytesOf(before, { offset: 0, length: mebibyte }), sample(mebibyte, 'old'));
    await before.close();
  });

  it('makes nothing visible and is aborted when commit fails', async (ingest, provider) => {
    await ingest.append(sample(10));
    await rejectsAsFailure(ingest.commit('blobs/../one'));
    await rejectsAsFailure(ingest.commit(key));
    await assertAbsent(provider, key);
    assert.deepEqual(await keysUnder(provider, 'blobs'), []);
  });

  it('is discarded by abort', async (ingest, provider) => {
    await ingest.append(sample(10));
    await ingest.abort();
    await ingest.close();
    await assertAbsent(provider, key);
    assert.deepEqual(await keysUnder(provider, 'blobs'), []);
  });

  it('cannot be committed after abort', async (ingest, provider) => {
    await ingest.append(sample(10));
    await ingest.abort();
    await rejectsAsFailure(ingest.commit(key));
    await assertAbsent(provider, key);
  });

  it('does not change the object when it is aborted after commit, also twice', async (ingest, provider) => {
    await ingest.append(sample(10));
    await ingest.commit(key);
    await ingest.abort();
    await ingest.abort();
    assertSame(await provider.read(key, 10), sample(10));
  });

  it('does not change the object when it is committed again', async (ingest, provider) => {
    await ingest.append(sample(10));
    await ingest.commit(key);
    await rejectsAsFailure(ingest.commit(key));
    await rejectsAsFailure(ingest.commit('blobs/two'));
    assertSame(await provider.read(key, 10), sample(10));
    assert.deepEqual(await keysUnder(provider, 'blobs'), [key]);
  });

  it('does not restore a removed object when it is aborted or committed again', async (ingest, provider) => {
    await ingest.append(sample(10));
    await ingest.commit(key);
    await provider.delete(key);
    await ingest.abort();
    await rejectsAsFailure(ingest.commit(key));
    await assertAbsent(provider, key);
  });

  it('may be aborted and closed twice, in any order', async (ingest) => {
    await ingest.append(sample(10));
    await ingest.close();
    await ingest.abort();
    await ingest.close();
    await ingest.abort();
  });

  const large = sample(20 * mebibyte);
  const hints = {
    'the expected key is that of commit': { key },
    'another key was expected': { key: 'blobs/other' },
    'the expected key is malformed': { key: 'blobs/../other' },
    'it is transient': { isTransient: true },
    'it is transient and has an expected key': { isTransient: true, key },
  };
  for (const [name, options] of Object.entries(hints)) {
    add(`keeps 20 MiB under the key of commit, and nothing else, when ${name}`, async (provider) => {
      const ingest = await provider.createIngest(options);
      for (let done = 0; done < large.length; done += 1_000_003) {
        await ingest.append(large.subarray(done, done + 1_000_003));
      }
      assert.deepEqual(await keysUnder(provider, 'blobs'), []);
      await ingest.commit(key);
      assertSame(await bytesOf(ingest, { offset: 0, length: large.length }), large);
      await ingest.close();
      assertSame(await provider.read(key, large.length), large);
      assert.deepEqual(await keysUnder(provider, 'blobs'), [key]);
      assert.equal(await provider.sweepIngests(0), 0);
    });

    add(`leaves nothing behind of 20 MiB that are aborted when ${name}`, async (provider) => {
      const ingest = await provider.createIngest(options);
      await ingest.append(large);
      await ingest.abort();
      assertSame(await bytesOf(ingest, { offset: 0, length: large.length }), large);
      await ingest.close();
      await assertAbsent(provider, key);
      assert.deepEqual(await keysUnder(provider, 'blobs'), []);
      assert.equal(await provider.sweepIngests(0), 0);
    });
  }

  add('keeps two ingests for one key separate, and the last commit wins', async (provider) => {
    const [first, second] = [await provider.createIngest(), await provider.createIngest()];
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([first.append(sample(1000, `first ${round}`)), second.append(sample(2000, `second ${round}`))]);
    }
    await first.commit(key);
    assert.equal((await provider.stat(key)).size, 10_000);
    await second.commit(key);
    const content = await provider.read(key, mebibyte);
    assertSame(content, Buffer.concat(Array.from({ length: 10 }, (_, round) => sample(2000, `second ${round}`))));
    assert.equal((await bytesOf(first, { offset: 0, length: 10_000 })).length, 10_000);
    await Promise.all([first.close(), second.close()]);
  });

  add('leaves the complete content of one of several concurrent commits of one key', async (provider) => {
    const contents = Array.from({ length: 6 }, (_, index) => sample(50_000 + index, `ingest ${index}`));
    await Promise.all(
      contents.map(async (content) => {
        const ingest = await provider.createIngest();
        await ingest.append(content);
        await ingest.commit(key);
        await ingest.close();
      }),
    );
    const kept = await provider.read(key, mebibyte);
    assert.ok(contents.some((content) => content.equals(kept)));
  });

  it('is never swept while it is in use', async (ingest, provider) => {
    await ingest.append(sample(10));
    assert.equal(await provider.sweepIngests(0), 0);
    await ingest.append(sample(10));
    assert.equal(await provider.sweepIngests(0), 0);
    await ingest.commit(key);
    assert.equal((await provider.stat(key)).size, 20);
  });

  it('leaves nothing to sweep after commit, and committed objects are not swept', async (ingest, provider) => {
    await ingest.append(sample(10));
    await ingest.commit(key);
    await ingest.close();
    assert.equal(await provider.sweepIngests(0), 0);
    assertSame(await provider.read(key, 10), sample(10));
  });

  it('leaves nothing to sweep after abort', async (ingest, provider) => {
    await ingest.append(sample(10));
    await ingest.abort();
    await ingest.close();
    assert.equal(await provider.sweepIngests(0), 0);
  });

  add('a storage without ingests has nothing to sweep', async (provider) => {
    assert.equal(await provider.sweepIngests(0), 0);
  });
}
