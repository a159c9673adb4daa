import assert from 'node:assert/strict';
import type { StorageProvider } from '../storage.provider.js';
import { keysUnder, sample } from './content.js';
import type { ContractCase } from './contract-case.js';

async function writeAll(provider: StorageProvider, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => provider.write(key, Buffer.from(key))));
}

/** `list` and `listNames`. */
export function listContract(it: ContractCase): void {
  it('lists nothing under an unused prefix', async (provider) => {
    await provider.write('a/one', sample(1));
    assert.deepEqual(await keysUnder(provider, 'b'), []);
    assert.deepEqual(await keysUnder(provider, 'a/b/c'), []);
  });

  it('lists the objects in the folder of the prefix, not those whose key only begins with it', async (provider) => {
    await writeAll(provider, ['a/one', 'a/b/two', 'a/b/c/three', 'ab/four', 'a-b/five', 'a.b/six', 'b/a/seven']);
    assert.deepEqual(await keysUnder(provider, 'a'), ['a/b/c/three', 'a/b/two', 'a/one']);
    assert.deepEqual(await keysUnder(provider, 'a/b'), ['a/b/c/three', 'a/b/two']);
    assert.deepEqual(await keysUnder(provider, 'ab'), ['ab/four']);
  });

  it('does not list an object whose key is the prefix', async (provider) => {
    await provider.write('a/one', sample(1));
    assert.deepEqual(await keysUnder(provider, 'a/one'), []);
  });

  it('gives key, size and time of each object, as stat does', async (provider) => {
    await provider.write('a/one', sample(123));
    await provider.write('a/two', Buffer.alloc(0));
    for await (const entry of provider.list('a')) {
      const { key, size, usedAt } = await provider.stat(entry.key);
      assert.deepEqual({ ...entry }, { key, size, usedAt });
    }
  });

  it('lists several hundred objects, each once', async (provider) => {
    const keys = Array.from({ length: 400 }, (_, index) => `many/${index % 7}/${index}`);
    for (let done = 0; done < keys.length; done += 50) await writeAll(provider, keys.slice(done, done + 50));
    assert.deepEqual(await keysUnder(provider, 'many'), keys.sort());
  });

  it('lists the contents of a folder, including its subfolders, contiguously', async (provider) => {
    await writeAll(provider, [
      'a/b/one',
      'a/c/one',
      'a/b/d/one',
      'a/c/d/one',
      'a/b/two',
      'a/one',
      'a/b/d/two',
      'a-b/one',
    ]);
    const seen: string[] = [];
    for await (const { key } of provider.list('a')) seen.push(key);
    for (const folder of ['a/b/', 'a/c/', 'a/b/d/', 'a/c/d/']) {
      const inside = seen.map((key) => key.startsWith(folder));
      const extent = inside.lastIndexOf(true) - inside.indexOf(true) + 1;
      assert.equal(extent, inside.filter(Boolean).length, `${folder} is not contiguous`);
    }
  });

  it('lists no ingests, neither running nor aborted ones', async (provider) => {
    const [running, aborted] = [await provider.createIngest(), await provider.createIngest()];
    await running.append(sample(10));
    await aborted.append(sample(10));
    await aborted.abort();
    await aborted.close();
    await provider.write('a/one', sample(1));
    assert.deepEqual(await keysUnder(provider, 'a'), ['a/one']);
    await running.abort();
    await running.close();
  });

  it('does not list removed objects', async (provider) => {
    await writeAll(provider, ['a/one', 'a/two', 'a/b/three']);
    await provider.delete('a/one');
    await provider.delete('a/b/three');
    assert.deepEqual(await keysUnder(provider, 'a'), ['a/two']);
  });

  it('continues when objects are removed during the listing', async (provider) => {
    const keys = Array.from({ length: 60 }, (_, index) => `a/${index % 3}/${index}`);
    await writeAll(provider, keys);
    const seen: string[] = [];
    for await (const { key } of provider.list('a')) {
      seen.push(key);
      await provider.delete(key);
    }
    assert.deepEqual(seen.sort(), keys.sort());
    assert.deepEqual(await keysUnder(provider, 'a'), []);
  });

  it('may be abandoned before its end', async (provider) => {
    await writeAll(provider, ['a/one', 'a/two', 'a/three']);
    for await (const { key } of provider.list('a')) {
      assert.ok(key.startsWith('a/'));
      break;
    }
    assert.equal((await keysUnder(provider, 'a')).length, 3);
  });

  it('lists names in the order of their bytes, from any place on', async (provider) => {
    const names = ['0', '1.0', 'a-b', 'a.b', 'a_b', 'ab', 'b'];
    await writeAll(provider, [...names.map((name) => `names/${name}`), 'namesake/a', 'other/c']);
    const sorted = [...names].sort();
    assert.deepEqual(await provider.listNames('names', undefined, 100), sorted);
    assert.deepEqual(await provider.listNames('names', undefined, 3), sorted.slice(0, 3));
    assert.deepEqual(await provider.listNames('names', 'a-b', 2), ['a.b', 'a_b']);
    assert.deepEqual(await provider.listNames('names', 'aa', 100), ['ab', 'b']);
    assert.deepEqual(await provider.listNames('names', 'b', 100), []);
    assert.deepEqual(await provider.listNames('names', undefined, 0), []);
    assert.deepEqual(await provider.listNames('nothing', undefined, 100), []);
  });

  it('lists names that were written and removed just before', async (provider) => {
    const names = Array.from({ length: 300 }, (_, index) => `n${index}`);
    for (let done = 0; done < names.length; done += 50)
      await writeAll(
        provider,
        names.slice(done, done + 50).map((name) => `names/${name}`),
      );
    assert.deepEqual(await provider.listNames('names', undefined, 1_000), [...names].sort());
    await provider.write('names/z', sample(1));
    await provider.delete('names/n0');
    const now = [...names.slice(1), 'z'].sort();
    assert.deepEqual(await provider.listNames('names', undefined, 1_000), now);
    await provider.write('names/n0', sample(1));
    assert.deepEqual(await provider.listNames('names', undefined, 2), ['n0', 'n1']);
  });
}
