import { expect, it } from 'vitest';
import { Digest } from '../../../oci/digest.js';
import type { StoredRecord } from '../../../storage/stores/stored.objects.js';
import { repositoriesOf } from './repository.walk.js';

const record = (name: string, kind: StoredRecord['kind'], time = 0, namespace = 'local'): StoredRecord => {
  const digest = kind === 'manifest' || kind === 'blob' ? { digest: Digest.of(Buffer.from(name)) } : {};
  return { namespace, name, kind, key: `${namespace}/${name}`, size: 1, usedAt: new Date(time), ...digest };
};

async function walk(...records: StoredRecord[]) {
  const all = (async function* () {
    for (const each of records) yield await Promise.resolve(each);
  })();
  const found = [];
  for await (const each of repositoriesOf(all)) found.push(each);
  return found;
}

it('finds each repository once, also where names nest', async () => {
  const found = await walk(
    record('a', 'tag', 1),
    record('a/b', 'manifest', 5),
    record('a/b/c', 'tag', 9),
    record('a/b', 'tag', 2),
    record('a', 'manifest', 3),
    record('ab', 'tag'),
  );
  expect(found).toEqual([
    { repository: 'local/a/b/c', tags: 1, manifests: 0, usedAt: 9 },
    { repository: 'local/a/b', tags: 1, manifests: 1, usedAt: 5 },
    { repository: 'local/a', tags: 1, manifests: 1, usedAt: 3 },
    { repository: 'local/ab', tags: 1, manifests: 0, usedAt: 0 },
  ]);
});

it('leaves out what has neither tag nor manifest, and what no request can name', async () => {
  expect(await walk(record('a', 'blob'), record('b', 'refusal'))).toEqual([]);
  const odd = [record('UPPER', 'tag'), record('a', 'tag', 0, '_-hash'), record('busybox', 'tag', 0, 'docker.io')];
  expect(await walk(...odd)).toEqual([]);
});
