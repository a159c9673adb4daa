import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ResumableIngest, ResumableIngests, StorageProvider } from '../storage.provider.js';
import {
  assertAbsent,
  assertSame,
  bytesOf,
  keysUnder,
  mebibyte,
  rejects,
  rejectsAsFailure,
  sample,
} from './content.js';
import type { ContractCase } from './contract-case.js';

const key = 'blobs/one';
const maxCheckpoint = 2 * 1024;
/** More than two parts of any storage that writes in parts. */
const large = 20 * mebibyte;

/** One resumable ingest, and every handle that a case opens to it. */
class Handles {
  readonly id = randomBytes(16).toString('hex');
  private readonly opened: ResumableIngest[] = [];
  private last = '';

  constructor(readonly ingests: ResumableIngests) {}

  async begin(): Promise<ResumableIngest> {
    return this.keep(await this.ingests.begin(this.id));
  }

  async resume(checkpoint: string): Promise<ResumableIngest> {
    return this.keep(await this.ingests.resume(this.id, (this.last = checkpoint)));
  }

  /** Begins with the bytes, records them and closes the handle, as a process does that is stopped. */
  async stored(content: Buffer, isPaused = true): Promise<string> {
    const ingest = await this.begin();
    await appendAll(ingest, content);
    const checkpoint = await ingest.checkpoint(isPaused);
    await ingest.close();
    return (this.last = checkpoint);
  }

  /** Nothing of a case stays for the next one. */
  async end(): Promise<void> {
    for (const ingest of this.opened) await ingest.close();
    await this.ingests.discard(this.id, this.last);
    assert.equal(await this.ingests.sweep(0, () => Promise.resolve(false)), 0, 'bytes are left behind');
  }

  private keep(ingest: ResumableIngest): ResumableIngest {
    this.opened.push(ingest);
    return ingest;
  }
}

async function appendAll(ingest: ResumableIngest, content: Buffer, step = 1_000_003): Promise<void> {
  for (let done = 0; done < content.length; done += step) await ingest.append(content.subarray(done, done + step));
}

async function assertCommits(provider: StorageProvider, ingest: ResumableIngest, content: Buffer): Promise<void> {
  assert.equal(ingest.size, content.length);
  await ingest.commit(key);
  await ingest.close();
  assertSame(await provider.read(key, Math.max(1, content.length)), content);
  assert.deepEqual(await keysUnder(provider, 'blobs'), [key]);
}

/** `StorageProvider.resumable`; a provider without it passes every case. */
export function resumableContract(add: ContractCase): void {
  const it = (name: string, body: (handles: Handles, provider: StorageProvider) => Promise<void>): void =>
    add(name, async (provider) => {
      if (!provider.resumable) return;
      const handles = new Handles(provider.resumable);
      try {
        await body(handles, provider);
      } finally {
        await handles.end();
      }
    });

  for (const [size, text] of [
    [1_000, '1,000 bytes'],
    [large, '20 MiB'],
  ] as const) {
    it(`commits ${text} as an ordinary ingest does`, async (handles, provider) => {
      const ingest = await handles.begin();
      await appendAll(ingest, sample(size));
      assert.deepEqual(await keysUnder(provider, 'blobs'), []);
      await assertCommits(provider, ingest, sample(size));
    });

    for (const isPaused of [true, false]) {
      it(`resumes ${text} with the size of a checkpoint, ${isPaused ? '' : 'not '}paused`, async (handles, provider) => {
        const content = sample(size);
        const half = Math.floor(size / 2);
        const checkpoint = await handles.stored(content.subarray(0, half), isPaused);
        const ingest = await handles.resume(checkpoint);
        assert.equal(ingest.size, half);
        await appendAll(ingest, content.subarray(half));
        await assertCommits(provider, ingest, content);
      });
    }

    it(`reads ${text} again after it has been resumed, and commits them`, async (handles, provider) => {
      const content = sample(size);
      const ingest = await handles.resume(await handles.stored(content));
      assertSame(await bytesOf(ingest, { offset: 0, length: size }), content);
      await assertCommits(provider, ingest, content);
    });

    it(`leaves nothing of ${text} that are aborted after they have been resumed`, async (handles, provider) => {
      const checkpoint = await handles.stored(sample(size));
      const ingest = await handles.resume(checkpoint);
      await appendAll(ingest, sample(size));
      await ingest.abort();
      await ingest.close();
      await assertAbsent(provider, key);
      await rejects(handles.resume(checkpoint), 'not-found');
    });

    it(`leaves nothing of ${text} that are discarded while a process appends`, async (handles) => {
      const ingest = await handles.begin();
      await appendAll(ingest, sample(size));
      const checkpoint = await ingest.checkpoint();
      await handles.ingests.discard(handles.id, checkpoint);
      await ingest.append(sample(10)).catch(() => undefined);
      await rejects(handles.resume(checkpoint), 'not-found');
    });

    it(`never takes over what another process appends after a checkpoint of ${text}`, async (handles, provider) => {
      const before = await handles.begin();
      await appendAll(before, sample(size));
      const checkpoint = await before.checkpoint();
      await appendAll(before, sample(size, 'late'));
      const after = await handles.resume(checkpoint);
      assert.equal(after.size, size);
      await before.append(sample(large, 'later')).catch(() => undefined);
      await before.checkpoint().catch(() => undefined);
      await after.append(sample(100, 'new'));
      await before.append(sample(large, 'last')).catch(() => undefined);
      await before.close();
      await assertCommits(provider, after, Buffer.concat([sample(size), sample(100, 'new')]));
    });
  }

  it('lets go on at every checkpoint, in turn by many processes', async (handles, provider) => {
    const content = sample(12 * mebibyte);
    let checkpoint = await handles.stored(content.subarray(0, 1_000));
    for (let done = 1_000; done < content.length;) {
      const ingest = await handles.resume(checkpoint);
      assert.equal(ingest.size, done);
      await ingest.append(content.subarray(done, done + 999_999));
      done = ingest.size;
      checkpoint = await ingest.checkpoint(true);
      assert.ok(Buffer.byteLength(checkpoint) <= maxCheckpoint);
      assert.doesNotThrow(() => void JSON.parse(checkpoint));
      await ingest.close();
    }
    const ingest = await handles.resume(checkpoint);
    assertSame(await bytesOf(ingest, { offset: 0, length: content.length }), content);
    await assertCommits(provider, ingest, content);
  });

  it('goes on appending after a checkpoint', async (handles, provider) => {
    const content = sample(large);
    const ingest = await handles.begin();
    for (let done = 0; done < content.length; done += 3_000_000) {
      await ingest.append(content.subarray(done, done + 3_000_000));
      await ingest.checkpoint(false);
    }
    await assertCommits(provider, ingest, content);
  });

  it('resumes an older checkpoint too', async (handles, provider) => {
    const ingest = await handles.begin();
    await ingest.append(sample(1_000));
    const checkpoint = await ingest.checkpoint();
    await ingest.append(sample(500, 'more'));
    await ingest.checkpoint();
    await ingest.close();
    await assertCommits(provider, await handles.resume(checkpoint), sample(1_000));
  });

  it('resumes a checkpoint that has been resumed before', async (handles, provider) => {
    const checkpoint = await handles.stored(sample(1_000), false);
    const lost = await handles.resume(checkpoint);
    await lost.append(sample(7, 'lost'));
    await lost.close();
    await assertCommits(provider, await handles.resume(checkpoint), sample(1_000));
  });

  it('begins empty, can be resumed empty, and commits empty content', async (handles, provider) => {
    const ingest = await handles.begin();
    assert.equal(ingest.size, 0);
    const checkpoint = await ingest.checkpoint(true);
    await ingest.close();
    await assertCommits(provider, await handles.resume(checkpoint), Buffer.alloc(0));
  });

  it('keeps what was checkpointed when it is closed', async (handles) => {
    const checkpoint = await handles.stored(sample(2_000));
    assert.equal((await handles.resume(checkpoint)).size, 2_000);
  });

  it('cannot be resumed after commit, and cannot be committed again', async (handles, provider) => {
    const checkpoint = await handles.stored(sample(10));
    const ingest = await handles.resume(checkpoint);
    await ingest.commit(key);
    await rejectsAsFailure(ingest.commit(key));
    await ingest.close();
    await rejects(handles.resume(checkpoint), 'not-found');
    assertSame(await provider.read(key, 10), sample(10));
  });

  it('commits what nobody who resumed it before can change', async (handles, provider) => {
    const ingest = await handles.begin();
    await ingest.append(sample(10));
    // Without a copy of its own, the caller makes a checkpoint that is not paused before it commits.
    const checkpoint = await ingest.checkpoint(handles.ingests.commitsCopy);
    const resumed = await handles.resume(checkpoint);
    await ingest.commit(key);
    // It may have ended.
    await resumed.append(sample(1_000)).catch(() => undefined);
    await resumed.checkpoint().catch(() => undefined);
    assertSame(await provider.read(key, 2_000), sample(10));
  });

  it('makes nothing visible and is aborted when commit fails', async (handles, provider) => {
    const ingest = await handles.begin();
    await ingest.append(sample(10));
    const checkpoint = await ingest.checkpoint();
    await rejectsAsFailure(ingest.commit('blobs/../one'));
    await rejectsAsFailure(ingest.commit(key));
    await assertAbsent(provider, key);
    await rejects(handles.resume(checkpoint), 'not-found');
  });

  it('does not know ids that were never written', async (handles) => {
    const checkpoint = await handles.stored(sample(10));
    await rejects(handles.ingests.resume('0123456789abcdef0123456789abcdef', checkpoint), 'not-found');
    await handles.ingests.discard('0123456789abcdef0123456789abcdef', checkpoint);
  });

  it('refuses malformed ids and checkpoints', async (handles) => {
    const checkpoint = await handles.stored(sample(10));
    for (const id of ['', '..', 'A'.repeat(32), `${'0'.repeat(31)}/`, '0'.repeat(33)]) {
      await rejectsAsFailure(handles.ingests.begin(id));
      await rejectsAsFailure(handles.ingests.resume(id, checkpoint));
      await rejectsAsFailure(handles.ingests.discard(id, checkpoint));
    }
    for (const text of ['', '{', '[]', 'null', '7', '{"size":-1}']) await rejects(handles.resume(text), 'not-found');
  });

  it('keeps ingests with different ids apart', async (handles, provider) => {
    const other = new Handles(handles.ingests);
    const [one, two] = [await handles.begin(), await other.begin()];
    await Promise.all([one.append(sample(100, 'one')), two.append(sample(200, 'two'))]);
    await two.abort();
    await two.close();
    await assertCommits(provider, one, sample(100, 'one'));
    await other.end();
  });

  it('lets two ingests of the same content both commit', async (handles, provider) => {
    const other = new Handles(handles.ingests);
    const [one, two] = [await handles.begin(), await other.begin()];
    await Promise.all([one.append(sample(1_000)), two.append(sample(1_000))]);
    await Promise.all([one.commit(key), two.commit(key)]);
    assertSame(await provider.read(key, 1_000), sample(1_000));
    await other.end();
  });

  it('is not swept with ordinary ingests, nor while it is open, nor while it is kept', async (handles, provider) => {
    const ingest = await handles.begin();
    await ingest.append(sample(10));
    const checkpoint = await ingest.checkpoint();
    assert.equal(await handles.ingests.sweep(0, () => Promise.resolve(false)), 0);
    await ingest.close();
    assert.equal(await provider.sweepIngests(0), 0);
    const asked: string[] = [];
    const isKept = (id: string) => Promise.resolve(asked.push(id) > 0);
    assert.equal(await handles.ingests.sweep(0, isKept), 0);
    assert.deepEqual(asked, [handles.id]);
    assert.equal((await handles.resume(checkpoint)).size, 10);
  });

  it('is swept when nothing has been appended for long', async (handles) => {
    const checkpoint = await handles.stored(sample(large));
    assert.equal(await handles.ingests.sweep(3_600_000, () => Promise.resolve(false)), 0);
    assert.equal(await handles.ingests.sweep(0, () => Promise.resolve(false)), 1);
    await rejects(handles.resume(checkpoint), 'not-found');
  });

  it('is not listed', async (handles, provider) => {
    await handles.stored(sample(large));
    for (const prefix of ['blobs', 'uploads', 'repositories']) assert.deepEqual(await keysUnder(provider, prefix), []);
  });
}
