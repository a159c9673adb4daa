import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FilesystemProvider } from '../../../src/storage/providers/filesystem/filesystem.provider.js';
import type { StorageProvider } from '../../../src/storage/storage.provider.js';
import { UploadStore } from '../../../src/storage/stores/upload.store.js';
import { Folder } from '../../e2e/support/folder.js';
import { storedFiles } from '../../e2e/support/stored-files.js';

/** A storage that several programs share, as the command line names it and as a test looks into it. */
export interface ClusterStorage extends AsyncDisposable {
  /** The end of the command line: `filesystem --root …`. */
  readonly args: readonly string[];
  /** What the programs need in their environment for it. */
  readonly env?: Record<string, string>;
  /** Every key, without unfinished writes. */
  keys(): Promise<string[]>;
  read(key: string): Promise<Buffer>;
  write(key: string, content: Buffer): Promise<void>;
  /** How many writes were begun and neither finished nor given up. */
  unfinished(): Promise<number>;
  /** What a program does a day after the last byte of every upload. */
  sweepUploads(): Promise<void>;
}

export async function sweepUploads(provider: StorageProvider): Promise<void> {
  await provider.initialize();
  try {
    // Clocks of a storage may be a little ahead.
    await new UploadStore(provider).sweep(-5_000);
    await provider.sweepIngests(-5_000);
  } finally {
    await provider.close();
  }
}

/** A folder on this machine. */
export async function sharedFolder(): Promise<ClusterStorage & { readonly root: string }> {
  const folder = await Folder.make();
  await mkdir(folder.file('store'));
  const root = folder.file('store');
  const isIngest = (path: string) => path.startsWith('ingest/');
  return {
    root,
    args: ['filesystem', '--root', root],
    keys: async () => (await storedFiles(root)).filter((path) => !isIngest(path)),
    read: (key) => readFile(join(root, key)),
    async write(key, content) {
      await mkdir(dirname(join(root, key)), { recursive: true });
      await writeFile(join(root, key), content);
    },
    unfinished: async () => (await storedFiles(root)).filter(isIngest).length,
    sweepUploads: () => sweepUploads(new FilesystemProvider(root)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/**
 * What must hold when nothing runs any more: content hashes to its name, and nobody holds anything.
 * @param killed processes.
 * @param known keys of content that was right before, and is not read again.
 */
export async function assertStorageSound(
  storage: ClusterStorage,
  killed = 0,
  known = new Set<string>(),
): Promise<void> {
  const { digestOf } = await import('../../fixtures/blobs.js');
  const keys = await storage.keys();
  for (const key of keys) {
    const [, algorithm, hex] = /^blobs\/(sha256|sha512)\/[0-9a-f]{2}\/([0-9a-f]+)$/.exec(key) ?? [];
    if (algorithm !== 'sha256' && algorithm !== 'sha512') {
      if (key.startsWith('blobs/')) throw new Error(`${key} is named as no content is`);
      continue;
    }
    if (known.has(key)) continue;
    known.add(key);
    const digest = digestOf(await storage.read(key), algorithm);
    if (digest !== `${algorithm}:${hex}`) throw new Error(`${key} has other content than its name says`);
  }
  const leases = keys.filter((key) => key.startsWith('leases/'));
  if (leases.length > 0) throw new Error(`leases were left: ${leases.join(', ')}`);
  const damaged = keys.filter((key) => key.startsWith('damaged/'));
  if (damaged.length > 0) throw new Error(`records were torn: ${damaged.join(', ')}`);
  const unfinished = await storage.unfinished();
  if (unfinished > killed) throw new Error(`${unfinished} writes were left unfinished`);
}
