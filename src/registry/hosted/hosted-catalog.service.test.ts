import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Namespace } from '../../oci/namespace.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { MemoryProvider } from '../../storage/providers/memory/memory.provider.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import type { TagPage } from '../list-page.js';
import { HostedCatalogService } from './hosted-catalog.service.js';
import { HostedNamespaces } from './hosted-namespaces.js';

const local = Namespace.parse('local');
const nameOf = (at: number) => `r${String(at).padStart(7, '0')}`;

/** A catalog of so many repositories, of which a read of a thousand takes so many milliseconds. */
function catalogOf(size: number, time: number): HostedCatalogService {
  const store = new CatalogStore(new MemoryProvider());
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(store, 'list').mockImplementation((_namespace, after, most) => {
    now += time;
    const from = after === undefined ? 0 : Number(after.slice(1)) + 1;
    return Promise.resolve(
      Array.from({ length: Math.max(0, Math.min(most, size - from)) }, (_, at) => nameOf(from + at)),
    );
  });
  return new HostedCatalogService(store, new HostedNamespaces([], [], store));
}

function namesIn({ body }: TagPage): string[] {
  if (!(body instanceof Uint8Array)) throw new Error('the list is streamed');
  return (JSON.parse(Buffer.from(body).toString()) as { repositories: string[] }).repositories;
}

describe('the catalog of a reader who may see few of many repositories', () => {
  afterEach(() => vi.restoreAllMocks());

  const only = (...seen: number[]) => {
    const names = new Set(seen.map(nameOf));
    return ({ name }: RepositoryRef) => names.has(name);
  };

  it('is whole where it is read in time', async () => {
    const page = await catalogOf(250_000, 5).list(undefined, undefined, local, only(1, 249_999));
    expect(namesIn(page)).toEqual([nameOf(1), nameOf(249_999)]);
    expect(page.next).toBeUndefined();
  });

  it('goes on behind what was found in time', async () => {
    const catalog = catalogOf(250_000, 50);
    const page = await catalog.list(undefined, undefined, local, only(90_000, 170_000));
    expect(namesIn(page)).toEqual([nameOf(90_000)]);
    expect(page.next?.get('last')).toBe(nameOf(90_000));
    const rest = await catalog.list(undefined, nameOf(90_000), local, only(90_000, 170_000));
    expect(namesIn(rest)).toEqual([nameOf(170_000)]);
  });

  it('is never an end that is none', async () => {
    const catalog = catalogOf(250_000, 50);
    await expect(catalog.list(undefined, undefined, local, only(249_999))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('last=') as string,
    });
    const page = await catalog.list(undefined, nameOf(200_000), local, only(249_999));
    expect([namesIn(page), page.next]).toEqual([[nameOf(249_999)], undefined]);
  });
});
