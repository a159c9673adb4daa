import assert from 'node:assert/strict';
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

/** `move`. */
export function moveContract(it: ContractCase): void {
  it('moves an object to another key', async (provider) => {
    const content = sample(3 * mebibyte);
    await provider.write(key, content);
    await provider.move(key, 'damaged/blobs/one');
    assertSame(await provider.read('damaged/blobs/one', content.length), content);
    await assertAbsent(provider, key);
    assert.deepEqual(await keysUnder(provider, 'blobs'), []);
    assert.deepEqual(await keysUnder(provider, 'damaged'), ['damaged/blobs/one']);
  });

  it('replaces an object under the other key', async (provider) => {
    await provider.write(key, sample(100));
    await provider.write('blobs/two', sample(5000, 'replaced'));
    await provider.move(key, 'blobs/two');
    assertSame(await provider.read('blobs/two', mebibyte), sample(100));
    await assertAbsent(provider, key);
  });

  it('moves an empty and touched object there and back', async (provider) => {
    await provider.write(key, Buffer.alloc(0));
    await provider.touch(key);
    await provider.move(key, 'blobs/two');
    await provider.move('blobs/two', key);
    assert.equal((await provider.stat(key)).size, 0);
    assert.deepEqual(await keysUnder(provider, 'blobs'), [key]);
  });

  it('keeps an object that is moved to its own key', async (provider) => {
    await provider.write(key, sample(100));
    await provider.move(key, key);
    assertSame(await provider.read(key, 100), sample(100));
    assert.deepEqual(await keysUnder(provider, 'blobs'), [key]);
  });

  it('does not affect readers of the object', async (provider) => {
    await provider.write(key, sample(mebibyte));
    const reader = await provider.open(key);
    await provider.move(key, 'blobs/two');
    assertSame(await bytesOf(reader, { offset: 0, length: mebibyte }), sample(mebibyte));
    await reader.close();
  });

  it('fails with not-found for a missing object and does not change the other key', async (provider) => {
    await provider.write('blobs/two', sample(10));
    await rejects(provider.move(key, 'blobs/two'), 'not-found');
    assertSame(await provider.read('blobs/two', 10), sample(10));
  });

  it('fails for malformed keys', async (provider) => {
    await provider.write(key, sample(10));
    await rejectsAsFailure(provider.move(key, 'blobs/../two'));
    await rejectsAsFailure(provider.move('blobs/../one', 'blobs/two'));
    assertSame(await provider.read(key, 10), sample(10));
  });
}
