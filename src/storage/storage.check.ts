import { randomBytes, randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { runCheck, type Check, type CheckResult, type Finding } from '../config/check.js';
import type { Quota } from '../config/values/size.js';
import type { StorageSettings } from '../config/storage.settings.js';
import { orAbsent } from './storage-error.js';
import { openStorage } from './storage.module.js';
import type { StorageProvider } from './storage.provider.js';

/** Bytes written to try it: more than one block of any disk. */
const trial = 256 * 1024;
/** Part of a disk, and bytes, that should be free: less is worth a word. */
const fewShare = 0.05;
const fewBytes = 2 ** 30;

/** Whether the storage can be used, by using it: what is written for that is removed again. */
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
    // It may still open after its deadline.
    opening.then((late) => late.close()).catch(() => undefined);
    return;
  }
  const provider = await opening;
  const folder = `doctor/${randomUUID()}`;
  try {
    yield* checkObjects(provider, folder);
    yield await runCheck({ name: 'storage: space', run: () => checkSpace(provider, settings, maxSize) });
  } finally {
    await provider.close();
  }
}

async function* checkObjects(provider: StorageProvider, folder: string): AsyncGenerator<CheckResult> {
  const [written, claimed] = [`${folder}/written`, `${folder}/claimed`];
  const content = randomBytes(trial);
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
      // Where nothing can be written, there is nothing to read.
      if (result.status === 'fail' && check === checks[0]) break;
    }
  } finally {
    // Reported as a check of its own; also when nobody listens any more, nothing is left behind.
    yield await runCheck({ name: 'storage: delete', run: () => checkDelete(provider, [written, claimed]) });
  }
}

async function checkWrite(provider: StorageProvider, key: string, content: Buffer): Promise<Finding> {
  await provider.write(key, content);
  return { status: 'ok', detail: `${content.length} bytes, whole and durable` };
}

async function checkRead(provider: StorageProvider, key: string, content: Buffer): Promise<Finding> {
  const read = await provider.read(key, trial);
  if (read.equals(content)) return { status: 'ok', detail: 'the same bytes' };
  return { status: 'fail', detail: 'other bytes than were written' };
}

async function checkList(provider: StorageProvider, folder: string, key: string): Promise<Finding> {
  for await (const entry of provider.list(folder)) {
    if (entry.key === key && entry.size === trial) return { status: 'ok', detail: 'what was written is listed' };
  }
  return { status: 'fail', detail: 'what was written is not listed' };
}

async function checkExclusive(provider: StorageProvider, key: string): Promise<Finding> {
  if (!provider.isExclusive) {
    return { status: 'warn', detail: 'not supported: replicas each download for themselves' };
  }
  const tries = await Promise.all(['a', 'b', 'c'].map((text) => provider.create(key, Buffer.from(text))));
  const winners = tries.filter(Boolean).length;
  if (winners === 1) return { status: 'ok', detail: 'of three at once, one won' };
  return { status: 'fail', detail: `of three at once, ${winners} won` };
}

async function checkDelete(provider: StorageProvider, keys: readonly string[]): Promise<Finding> {
  for (const key of keys) {
    await provider.delete(key);
    if (await orAbsent(provider.stat(key))) return { status: 'fail', detail: 'what was deleted is still there' };
  }
  return { status: 'ok', detail: 'nothing is left behind' };
}

async function checkSpace(
  provider: StorageProvider,
  settings: StorageSettings,
  maxSize: Quota | undefined,
): Promise<Finding> {
  const capacity = await provider.capacity();
  const bound = boundOf(maxSize, capacity);
  if (capacity === undefined) {
    if (typeof maxSize === 'object') return { status: 'fail', detail: '--max-size is a part of an unknown whole' };
    return { status: 'ok', detail: `no bound that is known; ${bound}` };
  }
  const free = settings.provider === 'filesystem' ? await freeOf(settings.root) : undefined;
  const detail = `${free === undefined ? '' : `${text(free)} free of `}${text(capacity)}; ${bound}`;
  if (free === 0) return { status: 'fail', detail };
  if (typeof maxSize === 'number' && maxSize > capacity) {
    return { status: 'warn', detail: `${detail}, which is more than there is` };
  }
  const isLittle = free !== undefined && free < Math.min(capacity * fewShare, fewBytes);
  return { status: isLittle ? 'warn' : 'ok', detail };
}

function boundOf(maxSize: Quota | undefined, capacity: number | undefined): string {
  if (maxSize === undefined) return 'no --max-size: nothing makes way for new content';
  if (typeof maxSize === 'number') return `--max-size is ${text(maxSize)}`;
  return `--max-size is ${text(Math.floor((capacity ?? 0) * maxSize.share))}`;
}

/** Bytes that this process may still write. */
async function freeOf(root: string): Promise<number> {
  const { bavail, bsize } = await statfs(root);
  return bavail * bsize;
}

function describe(settings: StorageSettings): string {
  if (settings.provider === 'filesystem') return settings.root;
  if (settings.provider === 's3')
    return `bucket ${settings.bucket}${settings.host === undefined ? '' : ` at ${settings.host}`}`;
  return settings.provider === 'custom' ? settings.module : 'in memory';
}

function text(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
