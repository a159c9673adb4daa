import assert from 'node:assert/strict';
import { Digest } from '../../oci/digest.js';
import { Namespace } from '../../oci/namespace.js';
import { Tag } from '../../oci/reference.js';
import { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../keys.js';
import { assertSame, keysUnder, rejectsAsFailure, sample } from './content.js';
import type { ContractCase } from './contract-case.js';

const malformed = {
  'the empty key': '',
  'the parent folder': '..',
  'a way out of the storage': '../outside',
  'a way out of a folder': 'a/../../outside',
  'a way back': 'a/../b',
  'the folder itself': 'a/./b',
  'a single dot': '.',
  'an absolute path': '/etc/passwd',
  'a path with an empty component': 'a//b',
  'a trailing slash': 'a/',
  'an upper-case letter': 'a/B',
  'a space': 'a b',
  'a NUL': 'a\0b',
  'a line feed': 'a\n',
  'a backslash': 'a\\..\\b',
  'a colon': 'c:d',
  'a percent sign': 'a/%2e%2e/b',
  'a letter outside ASCII': 'ä',
  'more than 1024 characters': `${'a/'.repeat(512)}b`,
  'the folder of ingests': 'ingest/one',
};

/** "Keys are paths of `[a-z0-9._-]` components joined by `/`; no component is `.`, `..` or empty." */
export function keyContract(it: ContractCase): void {
  for (const [name, key] of Object.entries(malformed)) {
    it(`fails for ${name}, not with not-found`, async (provider) => {
      await rejectsAsFailure(provider.read(key, 100));
      await rejectsAsFailure(provider.open(key));
      await rejectsAsFailure(provider.stat(key));
      await rejectsAsFailure(provider.write(key, sample(1)));
      await rejectsAsFailure(provider.delete(key));
      await rejectsAsFailure(keysUnder(provider, key));
    });
  }

  it('accepts every allowed character, including leading dots', async (provider) => {
    const wanted = ['a/.hidden', 'a/...', 'a/0-9._-', 'a/_', 'a/-', 'a/b.json'];
    for (const key of wanted) await provider.write(key, Buffer.from(key));
    assert.deepEqual(await keysUnder(provider, 'a'), wanted.sort());
    for (const key of wanted) assert.equal((await provider.read(key, 100)).toString(), key);
  });

  it('accepts the longest keys that keys.ts makes', async (provider) => {
    const host = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}:65535`;
    const repository = RepositoryRef.of(Namespace.parse(host), 'n'.repeat(255));
    const digest = Digest.of(sample(1), 'sha512');
    const tag = Tag.parse('T'.repeat(128));
    for (const key of [
      keys.manifest(repository, digest),
      keys.tag(repository, tag),
      keys.damaged(keys.manifest(repository, digest)),
    ]) {
      await provider.write(key, sample(10));
      assertSame(await provider.read(key, 10), sample(10));
    }
  });
}
