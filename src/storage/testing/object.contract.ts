import assert from 'node:assert/strict';
import { assertAbsent, assertSame, keysUnder, mebibyte, rejects, sample } from './content.js';
import type { ContractCase } from './contract-case.js';

const key = 'records/one';
const hour = 3_600_000;

/** `initialize`, `read`, `write`, `stat`, `delete`. */
export function objectContract(it: ContractCase): void {
  it('is empty at first', async (provider) => {
    await assertAbsent(provider, key);
    assert.deepEqual(await keysUnder(provider, 'records'), []);
  });

  it('reads an object as soon as write has returned', async (provider) => {
    await provider.write(key, sample(1000));
    assertSame(await provider.read(key, mebibyte), sample(1000));
    assert.equal((await provider.stat(key)).size, 1000);
    assert.deepEqual(await keysUnder(provider, 'records'), [key]);
  });

  it('reads an object that need not outlive a power failure, and replaces it', async (provider) => {
    for (const isDurable of [false, true, false]) {
      const content = sample(1000, `durable ${isDurable}`);
      await provider.write(key, content, { isDurable });
      assertSame(await provider.read(key, mebibyte), content);
    }
    assert.deepEqual(await keysUnder(provider, 'records'), [key]);
  });

  it('keeps empty content', async (provider) => {
    await provider.write(key, Buffer.alloc(0));
    assert.equal((await provider.read(key, 0)).length, 0);
    assert.equal((await provider.stat(key)).size, 0);
  });

  it('keeps 3 MiB in one write', async (provider) => {
    const content = sample(3 * mebibyte);
    await provider.write(key, content);
    assertSame(await provider.read(key, 3 * mebibyte), content);
  });

  it('keeps the object when the caller reuses the written or the read buffer', async (provider) => {
    const content = Buffer.from(sample(100));
    await provider.write(key, content);
    content.fill(0);
    (await provider.read(key, mebibyte)).fill(0);
    assertSame(await provider.read(key, mebibyte), sample(100));
  });

  it('reads an object of exactly the limit and fails with too-large for a larger one', async (provider) => {
    await provider.write(key, sample(100));
    assertSame(await provider.read(key, 100), sample(100));
    await rejects(provider.read(key, 99), 'too-large');
    await rejects(provider.read(key, 0), 'too-large');
  });

  it('fails with not-found for missing objects', async (provider) => {
    await provider.write(key, sample(1));
    await assertAbsent(provider, 'records/two');
    await assertAbsent(provider, 'records/one-more');
    await assertAbsent(provider, 'elsewhere/one');
  });

  it('has no object at the folder of another object or below one', async (provider) => {
    await provider.write('records/folder/one', sample(1));
    await assertAbsent(provider, 'records/folder');
    await assertAbsent(provider, 'records/folder/one/more');
    await provider.delete('records/folder');
    await provider.delete('records/folder/one/more');
    assert.deepEqual(await keysUnder(provider, 'records'), ['records/folder/one']);
  });

  it('gives key, size and time of the last change', async (provider) => {
    await provider.write(key, sample(42));
    const entry = await provider.stat(key);
    assert.equal(entry.key, key);
    assert.equal(entry.size, 42);
    assert.ok(Math.abs(entry.usedAt.getTime() - Date.now()) < hour, 'the time is not about now');
  });

  it('replaces an object with a longer and with a shorter one', async (provider) => {
    for (const length of [100, 5000, 10]) {
      await provider.write(key, sample(length, `of ${length}`));
      assertSame(await provider.read(key, mebibyte), sample(length, `of ${length}`));
    }
  });

  it('shows readers either the old or the new object during a replacement', async (provider) => {
    const versions = [sample(300_000, 'old'), sample(200_000, 'new')];
    await provider.write(key, versions[0] ?? Buffer.alloc(0));
    let writing = true;
    const replace = async () => {
      for (let round = 1; round <= 20; round += 1) await provider.write(key, versions[round % 2] ?? Buffer.alloc(0));
      writing = false;
    };
    const observe = async () => {
      while (writing) {
        const seen = await provider.read(key, mebibyte);
        assert.ok(
          versions.some((version) => version.equals(seen)),
          'a reader saw content that was never written',
        );
      }
    };
    await Promise.all([replace(), observe(), observe()]);
  });

  it('keeps one of several objects written under one key concurrently', async (provider) => {
    const versions = Array.from({ length: 8 }, (_, index) => sample(10_000 + index, `writer ${index}`));
    await Promise.all(versions.map((version) => provider.write(key, version)));
    const kept = await provider.read(key, mebibyte);
    assert.ok(versions.some((version) => version.equals(kept)));
    assert.deepEqual(await keysUnder(provider, 'records'), [key]);
  });

  it('keeps all of many objects written concurrently in new folders', async (provider) => {
    const names = Array.from({ length: 40 }, (_, index) => `new/${index % 4}/folder/${index}`);
    await Promise.all(names.map((name) => provider.write(name, Buffer.from(name))));
    for (const name of names) assert.equal((await provider.read(name, 100)).toString(), name);
  });

  it('removes an object, and only that', async (provider) => {
    await provider.write(key, sample(1));
    await provider.write('records/one-more', sample(2));
    await provider.delete(key);
    await assertAbsent(provider, key);
    assert.deepEqual(await keysUnder(provider, 'records'), ['records/one-more']);
  });

  it('removes a missing object without an error, also twice', async (provider) => {
    await provider.delete(key);
    await provider.write(key, sample(1));
    await provider.delete(key);
    await provider.delete(key);
    await assertAbsent(provider, key);
  });

  it('accepts a key again after its object was removed', async (provider) => {
    await provider.write(key, sample(1));
    await provider.delete(key);
    await provider.write(key, sample(2));
    assertSame(await provider.read(key, 2), sample(2));
  });
}
