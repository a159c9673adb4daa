import { randomBytes, randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { runCheck, type Check, type CheckResult, type Finding } from '../config/check.js';
import type { Quota } from '../config/values/size.js';
import type { S3Settings, StorageSettings } from '../config/storage.settings.js';
import { orAbsent } from './storage-error.js';
import { openStorage } from './storage.module.js';
import type { StorageProvider } from './storage.provider.js';

/** Size of the test object in bytes: more than one block of any disk. */
const testSize = 256 * 1024;
/** Free share of the disk, and free bytes, below which the check warns. */
const lowShare = 0.05;
const lowBytes = 2 ** 30;
/** Free bytes of the upload buffer with which no large layer can be stored. */
const lowBuffer = 2 ** 26;

/** Tests the storage by using it, and removes the test objects afterwards. */
export async function* checkStorage(
  settings: StorageSettings,
  maxSize: Quota | undefined,
): AsyncGenerator<CheckResult> {
  const opening = openStorage(settings);
  const opened = await runCheck({
    name: `storage: open ${settings.provider}`,
    run: async () => {
      await opening;
      return { status: 'ok', detail: describe(settings) };
    },
  });
  yield opened;
  if (opened.status === 'fail') {
    // The storage may still open after the deadline.
    opening.then((late) => late.close()).catch(() => undefined);
    return;
  }
  const provider = await opening;
  const folder = `doctor/${randomUUID()}`;
  try {
    yield* checkObjects(provider, folder);
    yield await runCheck({ name: 'storage: space', run: () => checkSpace(provider, settings, maxSize) });
    if (settings.provider === 's3')
      yield await runCheck({ name: 'storage: upload buffer', run: () => checkBuffer(provider) });
  } finally {
    await provider.close();
  }
}

async function* checkObjects(provider: StorageProvider, folder: string): AsyncGenerator<CheckResult> {
  const [written, claimed] = [`${folder}/written`, `${folder}/claimed`];
  const content = randomBytes(testSize);
  const checks: Check[] = [
    { name: 'storage: write', run: () => checkWrite(provider, written, content) },
    { name: 'storage: read back', run: () => checkRead(provider, written, content) },
    { name: 'storage: list', run: () => checkList(provider, folder, written) },
    { name: 'storage: conditional write', run: () => checkExclusive(provider, claimed) },
  ];
  try {
    for (const check of checks) {
      const result = await runCheck(check);
      yield result;
      // Without a written object there is nothing to read.
      if (result.status === 'fail' && check === checks[0]) break;
    }
  } finally {
    // In `finally`, so that the test objects are removed even when the caller stops iterating.
    yield await runCheck({ name: 'storage: delete', run: () => checkDelete(provider, [written, claimed]) });
  }
}

async function checkWrite(provider: StorageProvider, key: string, content: Buffer): Promise<Finding> {
  await provider.write(key, content);
  return { status: 'ok', detail: `${content.length} bytes, durable` };
}

async function checkRead(provider: StorageProvider, key: string, content: Buffer): Promise<Finding> {
  const read = await provider.read(key, testSize);
  if (read.equals(content)) return { status: 'ok', detail: 'same bytes' };
  return { status: 'fail', detail: 'the bytes differ from those written' };
}

async function checkList(provider: StorageProvider, folder: string, key: string): Promise<Finding> {
  for await (const entry of provider.list(folder)) {
    if (entry.key === key && entry.size === testSize) return { status: 'ok', detail: 'lists the test object' };
  }
  return { status: 'fail', detail: 'does not list the test object' };
}

async function checkExclusive(provider: StorageProvider, key: string): Promise<Finding> {
  if (!provider.isExclusive) {
    return { status: 'warn', detail: 'not supported: each replica downloads separately' };
  }
  const attempts = await Promise.all(['a', 'b', 'c'].map((text) => provider.create(key, Buffer.from(text))));
  const winners = attempts.filter(Boolean).length;
  if (winners === 1) return { status: 'ok', detail: 'one of three concurrent writes succeeded' };
  return { status: 'fail', detail: `${winners} of three concurrent writes succeeded` };
}

async function checkDelete(provider: StorageProvider, keys: readonly string[]): Promise<Finding> {
  for (const key of keys) {
    await provider.delete(key);
    if (await orAbsent(provider.stat(key))) return { status: 'fail', detail: 'a deleted object still exists' };
  }
  return { status: 'ok', detail: 'the test objects are gone' };
}

async function checkSpace(
  provider: StorageProvider,
  settings: StorageSettings,
  maxSize: Quota | undefined,
): Promise<Finding> {
  const capacity = await provider.capacity();
  const bound = boundOf(maxSize, capacity);
  if (capacity === undefined) {
    if (typeof maxSize === 'object')
      return { status: 'fail', detail: '--max-size is a percentage, but the size of this storage is unknown' };
    return { status: 'ok', detail: `size unknown; ${bound}` };
  }
  const free = settings.provider === 'filesystem' ? await freeOf(settings.root) : undefined;
  const detail = `${free === undefined ? '' : `${text(free)} free of `}${text(capacity)}; ${bound}`;
  if (free === 0) return { status: 'fail', detail };
  if (typeof maxSize === 'number' && maxSize > capacity) {
    return { status: 'warn', detail: `${detail}, which exceeds the disk` };
  }
  const isLow = free !== undefined && free < Math.min(capacity * lowShare, lowBytes);
  return { status: isLow ? 'warn' : 'ok', detail };
}

/** Downloads wait there until they are uploaded. */
async function checkBuffer(provider: StorageProvider): Promise<Finding> {
  const buffer = await provider.bufferSpace?.();
  if (!buffer) return { status: 'ok', detail: 'none' };
  const { folder, free, total, isInMemory } = buffer;
  const detail = `${text(free)} free of ${text(total)} in ${folder}`;
  if (isInMemory) return { status: 'warn', detail: `${detail}, which is in memory: set TMPDIR to a folder on a disk` };
  if (free < lowBuffer) return { status: 'fail', detail: `${detail}: set TMPDIR to a folder on a larger disk` };
  return { status: free < lowBytes ? 'warn' : 'ok', detail };
}

function boundOf(maxSize: Quota | undefined, capacity: number | undefined): string {
  if (maxSize === undefined) return 'no --max-size: nothing is evicted for new content';
  if (typeof maxSize === 'number') return `--max-size is ${text(maxSize)}`;
  return `--max-size is ${text(Math.floor((capacity ?? 0) * maxSize.share))}`;
}

/** Bytes available to this process. */
async function freeOf(root: string): Promise<number> {
  const { bavail, bsize } = await statfs(root);
  return bavail * bsize;
}

function describe(settings: StorageSettings): string {
  if (settings.provider === 'filesystem') return settings.root;
  if (settings.provider === 's3') return describeBucket(settings);
  return settings.provider === 'custom' ? settings.module : 'in memory';
}

function describeBucket({ bucket, host, region, sources }: S3Settings): string {
  const from = (name: string) => (sources[name] === undefined ? '' : ` (from ${sources[name]})`);
  const server = host === undefined ? 'Amazon S3' : host;
  return `bucket ${bucket} at ${server}${from('host')}, region ${region}${from('region')}`;
}

function text(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
