import assert from 'node:assert/strict';
import type { StorageProvider } from '../storage.provider.js';
import { assertSame, keysUnder, mebibyte, rejectsAsFailure, sample } from './content.js';
import type { ContractCase } from './contract-case.js';

const key = 'leases/one';

/** `isExclusive` and `create`. */
export function exclusiveContract(add: ContractCase): void {
  /** A case that only applies to storages with exclusive creation. */
  const it = (name: string, body: (provider: StorageProvider) => Promise<void>): void =>
    add(name, async (provider) => {
      if (provider.isExclusive) await body(provider);
    });

  it('creates an object that is not there', async (provider) => {
    assert.equal(await provider.create(key, sample(100)), true);
    assertSame(await provider.read(key, 100), sample(100));
    assert.deepEqual(await keysUnder(provider, 'leases'), [key]);
  });

  it('does not change an existing object, created or written', async (provider) => {
    await provider.write(key, sample(100, 'written'));
    assert.equal(await provider.create(key, sample(200, 'late')), false);
    assertSame(await provider.read(key, mebibyte), sample(100, 'written'));
    await provider.write('leases/two', Buffer.alloc(0));
    assert.equal(await provider.create('leases/two', sample(200, 'late')), false);
    assert.equal((await provider.stat('leases/two')).size, 0);
  });

  it('lets exactly one of fifty concurrent calls succeed, and keeps its content', async (provider) => {
    for (const round of [1, 2, 3]) {
      // What need not outlive a power failure is exclusive too.
      const isDurable = round !== 2;
      const contested = `leases/contested-${round}`;
      const contents = Array.from({ length: 50 }, (_, index) => sample(1000 + index, `${round} ${index}`));
      const won = await Promise.all(contents.map((content) => provider.create(contested, content, { isDurable })));
      assert.equal(won.filter(Boolean).length, 1, 'not exactly one call succeeded');
      assertSame(await provider.read(contested, mebibyte), contents[won.indexOf(true)] ?? Buffer.alloc(0));
      assert.equal(await provider.create(contested, sample(1)), false);
    }
  });

  it('creates an object again after it was removed', async (provider) => {
    assert.equal(await provider.create(key, sample(1)), true);
    await provider.delete(key);
    assert.equal(await provider.create(key, sample(2)), true);
    assertSame(await provider.read(key, 2), sample(2));
  });

  it('can be overwritten by write', async (provider) => {
    await provider.create(key, sample(100));
    await provider.write(key, sample(10, 'renewed'));
    assertSame(await provider.read(key, 100), sample(10, 'renewed'));
  });

  add('fails for a malformed key', async (provider) => {
    await rejectsAsFailure(provider.create('leases/../one', sample(1)));
  });
}
