import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { FileSystem } from './file-system.js';

const folderMode = 0o700;

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Writes a folder's entries to the disk: without it a power cut may undo a rename that has returned. */
export async function syncFolder(files: FileSystem, folder: string): Promise<void> {
  const handle = await files.open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const making = new Set<Promise<void>>();

/** Makes a folder and its parents, durably. */
export async function makeFolder(files: FileSystem, folder: string): Promise<void> {
  const made = makeAndSync(files, folder);
  making.add(made);
  await made.finally(() => making.delete(made));
}

async function makeAndSync(files: FileSystem, folder: string): Promise<void> {
  const first = await files.mkdir(folder, { recursive: true, mode: folderMode });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(files, dirname(made));
}

/** Moves a synced file to its final name, durably, making the folder when needed; removes it when that fails. */
export async function moveInto(files: FileSystem, from: string, to: string): Promise<void> {
  try {
    await files.rename(from, to);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    await makeFolder(files, dirname(to));
    await files.rename(from, to);
  }
  try {
    await syncFolder(files, dirname(to));
    // Another commit may have made one of these folders a moment ago and not have synced its parent yet.
    await Promise.all(making);
  } catch (error) {
    await files.unlink(to).catch(() => undefined);
    throw error;
  }
}
