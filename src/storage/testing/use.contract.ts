import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { StorageProvider } from '../storage.provider.js';
import { StorageError } from '../storage-error.js';
import { assertAbsent, assertSame, keysUnder, rejects, rejectsAsFailure, sample } from './content.js';
import type { ContractCase } from './contract-case.js';

const key = 'blobs/one';
/** Milliseconds; some storages have a time resolution of a second. */
const tick = 1_100;

async function usedAt(provider: StorageProvider, sought: string): Promise<number> {
  for await (const entry of provider.list('blobs')) if (entry.key === sought) return entry.usedAt.getTime();
  throw new Error(`${sought} is not listed`);
}

/** Touching a missing object may fail with `not-found` or succeed. */
async function touchAbsent(provider: StorageProvider, absent: string): Promise<void> {
  await provider.touch(absent).catch((error: unknown) => {
    if (!StorageError.isNotFound(error)) throw error;
  });
}

/** `touch`, `capacity` and `urlOf`. */
export function useContract(it: ContractCase): void {
  it('lists an object with the time of its last touch, and changes nothing else', async (provider) => {
    await provider.write(key, sample(100));
    await provider.write('blobs/two', sample(100));
    const [one, two] = [await usedAt(provider, key), await usedAt(provider, 'blobs/two')];
    await delay(tick);
    await provider.touch(key);
    const touched = await usedAt(provider, key);
    assert.ok(touched > one, 'the time has not moved');
    assert.equal(await usedAt(provider, 'blobs/two'), two);
    await delay(tick);
    await provider.touch(key);
    assert.ok((await usedAt(provider, key)) > touched, 'the time has not moved again');
    assertSame(await provider.read(key, 100), sample(100));
    assert.equal((await provider.stat(key)).size, 100);
    assert.deepEqual(await keysUnder(provider, 'blobs'), [key, 'blobs/two']);
  });

  it('tells when one object was last touched or written, as its list does', async (provider) => {
    const lastUse = async () => {
      const entry = await (provider.lastUse?.(key) ?? provider.stat(key));
      assert.deepEqual([entry.key, entry.size], [key, 100]);
      assert.equal(entry.usedAt.getTime(), await usedAt(provider, key));
      return entry.usedAt.getTime();
    };
    await provider.write(key, sample(100));
    const written = await lastUse();
    await delay(tick);
    await provider.touch(key);
    const touched = await lastUse();
    assert.ok(touched > written, 'the time has not moved');
    await delay(tick);
    await provider.write(key, sample(100));
    assert.ok((await lastUse()) > touched, 'the time has not moved again');
    await provider.delete(key);
    await rejects(provider.lastUse?.(key) ?? provider.stat(key), 'not-found');
  });

  it('counts a write after a touch as a use', async (provider) => {
    await provider.write(key, sample(100));
    await provider.touch(key);
    const touched = await usedAt(provider, key);
    await delay(tick);
    await provider.write(key, sample(200));
    assert.ok((await usedAt(provider, key)) > touched, 'the time has not moved');
  });

  it('leaves nothing behind when a missing object is touched', async (provider) => {
    await touchAbsent(provider, key);
    await assertAbsent(provider, key);
    assert.deepEqual(await keysUnder(provider, 'blobs'), []);
    await provider.write('blobs/two', sample(1));
    assert.deepEqual(await keysUnder(provider, 'blobs'), ['blobs/two']);
  });

  it('does not restore a removed object', async (provider) => {
    for (let round = 0; round < 10; round += 1) {
      await provider.write(key, sample(10));
      await Promise.all([provider.delete(key), touchAbsent(provider, key)]);
      await touchAbsent(provider, key);
      await assertAbsent(provider, key);
      assert.deepEqual(await keysUnder(provider, 'blobs'), []);
    }
  });

  it('lists nothing but objects below a prefix, however many were touched', async (provider) => {
    const names = Array.from({ length: 30 }, (_, index) => `blobs/${index % 3}/${index}`);
    await Promise.all(names.map((name) => provider.write(name, Buffer.from(name))));
    await Promise.all(names.filter((_, index) => index % 2).map((name) => provider.touch(name)));
    await Promise.all(names.slice(0, 10).map((name) => provider.delete(name)));
    assert.deepEqual(await keysUnder(provider, 'blobs'), names.slice(10).sort());
    assert.deepEqual(
      await keysUnder(provider, 'blobs/1'),
      names
        .slice(10)
        .filter((name) => name.startsWith('blobs/1/'))
        .sort(),
    );
  });

  it('fails to touch a malformed key', async (provider) => {
    await rejectsAsFailure(provider.touch('blobs/../one'));
  });

  it('has a capacity in bytes that does not depend on stored objects, or none', async (provider) => {
    const capacity = await provider.capacity();
    await provider.write(key, sample(100_000));
    assert.equal(await provider.capacity(), capacity);
    assert.ok(capacity === undefined || (Number.isSafeInteger(capacity) && capacity > 0), `${String(capacity)} bytes`);
  });

  it('gives no URL, or one from which the object can be read without credentials', async (provider) => {
    await provider.write(key, sample(1000));
    const url = await provider.urlOf(key, 60);
    if (url === undefined) return;
    const whole = await fetch(url);
    assert.equal(whole.status, 200);
    assertSame(Buffer.from(await whole.arrayBuffer()), sample(1000));
    const part = await fetch(url, { headers: { range: 'bytes=10-19' } });
    assert.equal(part.status, 206);
    assertSame(Buffer.from(await part.arrayBuffer()), sample(1000).subarray(10, 20));
  });
}
