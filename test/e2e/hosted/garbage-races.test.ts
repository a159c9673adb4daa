import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { manifestMediaTypes } from '../../../src/oci/media-type.js';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { GarbageService } from '../../../src/registry/hosted/garbage/garbage.service.js';
import { GarbageTimes } from '../../../src/registry/hosted/garbage/garbage.times.js';
import { keys } from '../../../src/storage/keys.js';
import { sizes } from '../../sizes.js';
import { app, descriptor, digestOf, empty, HostedRegistry, image, index, refusal } from './support/registry.js';

const server = { advertiseUrl: 'http://127.0.0.1:1' };
const clients = 8;
const rounds = sizes.roundsOfPushes;
const timeout = 120_000 + rounds * 2_000;
/** Milliseconds in which garbage is found, or not. */
const longestPause = 80;

/** Makes a record as old as one that nothing has used for days, if it is still there. */
async function age(root: string, key: string): Promise<void> {
  const then = new Date(Date.now() - 2 * 86_400_000);
  await utimes(join(root, key), then, then).catch(() => undefined);
}

/** Pushes an index with an image, whatever of it is there already, as clients do. */
async function push(registry: HostedRegistry, name: string, round: number): Promise<void> {
  const ensure = async (blob: Buffer | string) => {
    if ((await refusal(registry.blobs.head(app, digestOf(blob)))) !== 'none') await registry.pushBlob(blob);
  };
  const child = image([name]);
  // What a client sees it does not push; everything below what it sees is there.
  if ((await refusal(registry.manifests.head(app, digestOf(child)))) !== 'none') {
    for (const blob of [empty, name]) await ensure(blob);
    await registry.put(digestOf(child), child);
  }
  const parent = index([], { manifests: [descriptor(child, manifestMediaTypes.ociManifest)], 'x-round': round });
  await registry.put(name, parent);
  expect((await registry.get(name)).body.equals(parent)).toBe(true);
  expect((await registry.get(digestOf(child))).body.equals(child)).toBe(true);
  for (const blob of [empty, Buffer.from(name)])
    expect((await registry.readBlob(digestOf(blob))).equals(blob)).toBe(true);
}

it('pushes while another replica collects garbage without pause never fail and are whole', { timeout }, async () => {
  const settings = { untagged: 0 };
  await using one = await HostedRegistry.start(settings, { server });
  const { root } = one.mirror;
  await using other = await HostedRegistry.start(settings, { root, server });
  // Every use counts anew, since the test makes records old that were used a moment ago.
  Object.assign(one.mirror.app.get(GarbageTimes), { granularity: 0 });
  const sweeps = other.mirror.app.get(SweepService);
  let left = clients;
  let runs = 0;
  const pushing = Array.from({ length: clients }, async (_, client) => {
    try {
      for (let round = 0; round < rounds; round += 1) {
        const name = `client-${client}`;
        await push(one, name, round);
        const child = digestOf(image([name]));
        // A run takes less than the grace period: none sees the same push new and, as the test makes it, old.
        const before = runs;
        while (runs === before) await sleep(1);
        // The tag goes, and everything behind it becomes garbage that the next round may still find.
        const parent = (await one.get(name)).digest;
        await one.manifests.delete(app, parent);
        const [manifest, blob] = [child, digestOf(name)];
        for (const digest of [manifest, blob]) await age(root, keys.content(digest));
        for (const key of [keys.manifest(app, manifest), keys.blob(app, blob)]) await age(root, key);
        await sleep((client * 7 + round * 13) % longestPause);
      }
    } finally {
      left -= 1;
    }
  });
  let removed = 0;
  const garbage = other.mirror.app.get(GarbageService);
  const signal = new AbortController().signal;
  const report = () => void (removed += 1);
  const collecting = (async () => {
    let failed = 0;
    for (; left > 0; runs += 1) {
      if (runs % 4 === 0) removed += (await sweeps.run()).removedRecords;
      failed += await garbage.run({ isDryRun: false, signal, report });
    }
    return failed;
  })();
  const ended = await Promise.allSettled(pushing);
  expect(await collecting).toBe(0);
  expect(ended.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []))).toEqual([]);
  expect(removed).toBeGreaterThan(clients);
});
