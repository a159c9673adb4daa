import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { keys } from '../keys.js';
import { LeaseStore, type Lease } from './lease.store.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { keysUnder, sample } from '../testing/content.js';

const digest = Digest.of(sample(10));
const leases = keys.blobLeases('registry.test', digest);
const lease = (epoch: number, fields: Partial<Lease> = {}): Lease => ({
  leases,
  epoch,
  holder: 'one',
  url: 'http://10.0.0.7:8080',
  expiresAt: 1_700_000_000_000,
  ...fields,
});

let provider: MemoryProvider;
let store: LeaseStore;

beforeEach(() => {
  provider = new MemoryProvider();
  store = new LeaseStore(provider);
});

describe('LeaseStore', () => {
  it('finds nothing where there is no lease', async () => {
    expect(await store.findNewest(leases)).toEqual({ epoch: 0, lease: undefined });
  });

  it('gives an epoch to exactly one of many concurrent calls', async () => {
    const tries = await Promise.all(
      Array.from({ length: 20 }, (_, index) => store.create(lease(1, { holder: String(index) }))),
    );
    expect(tries.filter(Boolean)).toHaveLength(1);
    const { lease: found } = await store.findNewest(leases);
    expect(found).toEqual(lease(1, { holder: String(tries.indexOf(true)) }));
  });

  it('counts the highest epoch, and one that was seen although it is not listed', async () => {
    for (const epoch of [9, 10, 2]) await store.create(lease(epoch));
    expect(await store.findNewest(leases)).toEqual({ epoch: 10, lease: lease(10) });
    expect(await store.findNewest(leases, 11)).toEqual({ epoch: 11, lease: undefined });
  });

  it('keeps the leases of other things apart', async () => {
    const hex = digest.hex.replace(/.$/, digest.hex.endsWith('0') ? '1' : '0');
    const other = Digest.parse(`sha256:${hex}`);
    await store.create(lease(3, { leases: keys.blobLeases('registry.test', other) }));
    expect((await store.findNewest(leases)).epoch).toBe(0);
  });

  it('renews a lease in its place', async () => {
    await store.create(lease(1));
    await store.renew(lease(1, { expiresAt: 5 }));
    expect((await store.findNewest(leases)).lease?.expiresAt).toBe(5);
  });

  it('releases a lease with the older ones, and leaves a newer one', async () => {
    for (const epoch of [1, 2, 3]) await store.create(lease(epoch));
    await store.release(lease(2));
    expect(await keysUnder(provider, 'leases')).toEqual([keys.lease(leases, 3)]);
  });

  it.each([
    ['cut off', '{"version":1,"holder":"one'],
    ['empty', ''],
    ['no object', '[]'],
    ['too large', JSON.stringify({ version: 1, holder: 'x'.repeat(5_000), url: 'http://a', expiresAt: 1 })],
    ['newer', '{"version":2,"holder":"one","url":"http://a","expiresAt":1}'],
    ['without a holder', '{"version":1,"url":"http://a","expiresAt":1}'],
    ['without a time', '{"version":1,"holder":"one","url":"http://a","expiresAt":"1"}'],
    ['of a place that is none', '{"version":1,"holder":"one","url":"ftp://a","expiresAt":1}'],
    ['with a password', '{"version":1,"holder":"one","url":"http://u:p@a","expiresAt":1}'],
  ])('sees the epoch but no lease where it is %s', async (_, content) => {
    await provider.write(keys.lease(leases, 4), Buffer.from(content));
    expect(await store.findNewest(leases)).toEqual({ epoch: 4, lease: undefined });
  });

  it('ignores foreign files', async () => {
    for (const end of ['', '-1', '-000000001', '-0000000x', '/00000001']) {
      await provider.write(`${leases}${end}`, Buffer.from('foreign'));
    }
    expect((await store.findNewest(leases)).epoch).toBe(0);
  });

  it('sweeps leases that have not been renewed, and no foreign files', async () => {
    await store.create(lease(1));
    await provider.write('leases/readme', Buffer.from('foreign'));
    // Earlier versions had no upstream in the key.
    await provider.write(keys.lease(`leases/sha256/${digest.hex.slice(0, 2)}/${digest.hex}`, 7), Buffer.from('{}'));
    expect(await store.sweep(60_000)).toBe(0);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    try {
      expect(await store.sweep(60_000)).toBe(2);
    } finally {
      vi.useRealTimers();
    }
    expect(await keysUnder(provider, 'leases')).toEqual(['leases/readme']);
  });
});
