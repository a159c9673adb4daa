/* A program of its own: sweeps the folder of its argument, and says how much memory that took. */
import { SystemClock } from '../../../build/config/clock/clock.js';
import { Retention } from '../../../build/registry/eviction/retention.js';
import { unguarded } from '../../../build/registry/eviction/sweep.place.js';
import { Sweep } from '../../../build/registry/eviction/sweep.js';
import { FilesystemProvider } from '../../../build/storage/providers/filesystem/filesystem.provider.js';
import { HotCache } from '../../../build/storage/stores/hot.cache.js';
import { SpaceLedger } from '../../../build/storage/space/space.ledger.js';
import { StoredObjects } from '../../../build/storage/stores/stored.objects.js';

const [, , root, quota, small] = process.argv;
const plan = { grace: 3_600_000, isShort: false, isDiskFull: false, isFirst: true };
const ignore = () => undefined;

async function sweep(folder) {
  const provider = new FilesystemProvider(folder);
  await provider.initialize();
  const space = new SpaceLedger(Number(quota));
  const objects = new StoredObjects(provider, new HotCache(0), space);
  const retention = new Retention([], new SystemClock());
  const place = {
    guard: unguarded,
    objects,
    space,
    retention,
    isHeld: () => false,
    isHosted: () => false,
    hasHosted: false,
    enter: ignore,
    onFailure: ignore,
  };
  const work = new Sweep(place, plan, new AbortController().signal);
  await work.run();
  return { ...work.counts, objects: space.objects };
}

// What any sweep needs, the code itself first of all, is there before: it grows by what there is to sweep.
await sweep(small);
globalThis.gc();
const before = process.memoryUsage().rss;
let peak = before;
const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5);
const from = performance.now();
const result = await sweep(root);
clearInterval(timer);
const duration = Math.round(performance.now() - from);
process.stdout.write(JSON.stringify({ ...result, growth: peak - before, duration }));
