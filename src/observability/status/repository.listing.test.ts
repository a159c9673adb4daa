import { describe, expect, it } from 'vitest';
import type { CachedRepository } from './cached.repositories.js';
import { RepositoryListing } from './repository.listing.js';

const repository = (name: string, more: Partial<CachedRepository> = {}): CachedRepository => ({
  namespace: 'registry.test',
  name,
  manifests: 1,
  bytes: 10,
  usedAt: new Date(0),
  isPrivate: false,
  ...more,
});

function listingOf(list: () => Iterable<CachedRepository>) {
  const scene = { now: 1000, walks: 0, errors: [] as unknown[] };
  const repositories = async function* () {
    scene.walks += 1;
    await Promise.resolve();
    yield* list();
  };
  const takesPassword = (namespace: string) => namespace === 'private.test';
  const onError = (error: unknown) => scene.errors.push(error);
  const listing = new RepositoryListing({ repositories }, takesPassword, () => scene.now, onError);
  return { scene, listing };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the list of stored repositories', () => {
  it('is made in the background, once for all readers, and anew when it is old', async () => {
    const { scene, listing } = listingOf(() => [repository('team/app')]);
    expect(listing.view).toBeUndefined();
    expect(listing.view).toBeUndefined();
    await settled();
    expect(listing.view).toMatchObject({ countedAt: 1000, shown: [{ name: 'registry.test/team/app' }], more: 0 });
    expect(scene.walks).toBe(1);
    scene.now += 300_000;
    expect(listing.view).toMatchObject({ countedAt: 1000 });
    await settled();
    expect(listing.view).toMatchObject({ countedAt: 301_000 });
    expect(scene.walks).toBe(2);
  });

  it('never names what takes a password, by its record or by its registry', async () => {
    const { listing } = listingOf(() => [
      repository('recorded', { isPrivate: true }),
      repository('configured', { namespace: 'private.test' }),
      repository('open'),
    ]);
    expect(listing.view).toBe(listing.view);
    await settled();
    expect(listing.view).toMatchObject({ shown: [{ name: 'registry.test/open' }], hidden: 2 });
    expect(JSON.stringify(listing.view)).not.toMatch(/recorded|configured/);
  });

  it('keeps the fifty that were used last', async () => {
    const { listing } = listingOf(() =>
      Array.from({ length: 500 }, (_, index) => repository(`r${index}`, { usedAt: new Date((index * 7) % 500) })),
    );
    expect(listing.view).toBe(listing.view);
    await settled();
    expect(listing.view?.shown.map(({ usedAt }) => usedAt)).toEqual(Array.from({ length: 50 }, (_, i) => 499 - i));
    expect(listing.view?.more).toBe(450);
  });

  it('says what went wrong, and tries again for the next reader', async () => {
    const { scene, listing } = listingOf(() => {
      throw new Error('no storage');
    });
    expect(listing.view).toBe(listing.view);
    await settled();
    expect(scene.errors).toHaveLength(1);
    expect(listing.view).toBe(listing.view);
    await settled();
    expect(scene.walks).toBe(2);
  });

  it('stops when it is closed', async () => {
    let given = 0;
    const { scene, listing } = listingOf(function* () {
      for (; given < 1000; given += 1) yield repository(`r${given}`);
    });
    expect(listing.view).toBe(listing.view);
    await listing.close();
    expect(given).toBeLessThan(1000);
    expect(listing.view).toBe(listing.view);
    expect(scene.walks).toBe(1);
  });
});
