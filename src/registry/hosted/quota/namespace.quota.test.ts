import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../../config/clock/clock.js';
import { Digest } from '../../../oci/digest.js';
import { Namespace } from '../../../oci/namespace.js';
import { RepositoryPattern } from '../../../oci/patterns/repository-pattern.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../../storage/keys.js';
import { MemoryProvider } from '../../../storage/providers/memory/memory.provider.js';
import { HostedStore } from '../../../storage/stores/hosted/hosted.store.js';
import { StoredObjects } from '../../../storage/stores/stored.objects.js';
import { NamespaceQuota } from './namespace.quota.js';
import { QuotaCount } from './quota.count.js';

class Counted extends StoredObjects {
  lookups = 0;
  isListed = false;

  override findContent(digest: Digest) {
    this.lookups += 1;
    return super.findContent(digest);
  }

  override contents() {
    this.isListed = true;
    return super.contents();
  }
}

function quotaOf(objects: StoredObjects, failures: unknown[] = []): NamespaceQuota {
  const counts = ['team/**', '**'].map(
    (pattern) => new QuotaCount(RepositoryPattern.parse(`local/${pattern}`), pattern, 1_000_000),
  );
  const { signal } = new AbortController();
  const report = (error: unknown) => failures.push(error);
  return new NamespaceQuota(Namespace.parse('local'), counts, objects, new SystemClock(), () => 0, report, signal);
}

/** Content of so many bytes, in these repositories. */
async function put(provider: MemoryProvider, name: string, size: number, repositories: readonly string[]) {
  const digest = Digest.of(Buffer.from(name), 'sha256');
  await provider.write(keys.content(digest), Buffer.alloc(size));
  const store = new HostedStore(provider);
  for (const repository of repositories) await store.putBlob(RepositoryRef.parse(repository), digest, { size });
}

const usedOf = ({ counts }: NamespaceQuota) => counts.map(({ used }) => used);

describe('the quota of a namespace', () => {
  it('counts what its repositories have, once, and nothing of others', async () => {
    const provider = new MemoryProvider();
    const objects = new Counted(provider);
    await put(provider, 'a', 10, ['local/team/a', 'local/team/b', 'local/c']);
    await put(provider, 'b', 200, ['local/c', 'other/team/a', 'ghcr.io/team/a']);
    await put(provider, 'c', 3_000, ['other/c']);
    const quota = quotaOf(objects);
    await quota.recount();
    expect(usedOf(quota)).toEqual([10, 210]);
    expect([objects.lookups, objects.isListed]).toEqual([2, false]);
    // Sizes are known from now on.
    await quota.recount();
    expect([usedOf(quota), objects.lookups]).toEqual([[10, 210], 2]);
  });

  it('lists content when it would have to look up much of it', async () => {
    const provider = new MemoryProvider();
    const objects = new Counted(provider);
    for (let at = 0; at < 1_001; at += 1) await put(provider, `layer ${at}`, 10, ['local/team/a', 'local/b']);
    const quota = quotaOf(objects);
    await quota.recount();
    expect(usedOf(quota)).toEqual([10_010, 10_010]);
    expect([objects.lookups, objects.isListed]).toEqual([0, true]);
  });

  it('does not count a record without its content', async () => {
    const provider = new MemoryProvider();
    const digest = Digest.of(Buffer.from('a'), 'sha256');
    await new HostedStore(provider).putBlob(RepositoryRef.parse('local/a'), digest, { size: 100 });
    const quota = quotaOf(new StoredObjects(provider));
    await quota.recount();
    expect(usedOf(quota)).toEqual([0, 0]);
  });

  it('stays as it was when the storage cannot be listed', async () => {
    class Failing extends MemoryProvider {
      isFailing = false;

      override list(prefix: string) {
        if (this.isFailing) throw new Error('no list');
        return super.list(prefix);
      }
    }
    const provider = new Failing();
    const failures: unknown[] = [];
    await put(provider, 'a', 10, ['local/team/a']);
    const quota = quotaOf(new StoredObjects(provider), failures);
    await quota.recount();
    provider.isFailing = true;
    await quota.recount();
    expect([usedOf(quota), failures.length]).toEqual([[10, 10], 1]);
  });
});
