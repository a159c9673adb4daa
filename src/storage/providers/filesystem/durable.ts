import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { FileSystem } from './file-system.js';

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

/** Makes a folder and its parents, durably. @param mode of those that are made */
export async function makeFolder(files: FileSystem, folder: string, mode: number): Promise<void> {
  const made = makeAndSync(files, folder, mode);
  // One that vanishes while it is made, because it is empty, holds nothing of anybody who waits here.
  const settling = made.catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
  });
  making.add(settling);
  await settling.catch(() => undefined);
  making.delete(settling);
  await made;
}

/** One by one from the nearest that is there: Node's own recursion never ends where nothing can be made, as in /proc. */
async function makeAndSync(files: FileSystem, folder: string, mode: number): Promise<void> {
  try {
    await makeOne(files, folder, mode);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeAndSync(files, dirname(folder), mode);
    await makeOne(files, folder, mode);
  }
}

async function makeOne(files: FileSystem, folder: string, mode: number): Promise<void> {
  try {
    await files.mkdir(folder, { mode });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    const status = await files.lstat(folder);
    if (status.isDirectory() || status.isSymbolicLink()) return;
    throw error;
  }
  await syncFolder(files, dirname(folder));
}

/**
 * Moves a synced file to its final name, durably; removes it when that fails.
 * @param prepare makes the folder of the final name, or refuses it; again when the folder turns out to have gone.
 */
export function moveInto(files: FileSystem, from: string, to: string, prepare: Prepare): Promise<void> {
  return placeInto(files, to, prepare, () => files.rename(from, to));
}

/** As `moveInto`, by a second name for the file. @throws EEXIST when the final name is taken */
export function linkInto(files: FileSystem, from: string, to: string, prepare: Prepare): Promise<void> {
  return placeInto(files, to, prepare, () => files.link(from, to));
}

type Prepare = (again: boolean) => Promise<void>;

/** Times that the folder of a final name may go away while something is placed there: it empties, and is removed. */
const maxVanished = 5;

async function placeInto(files: FileSystem, to: string, prepare: Prepare, place: () => Promise<void>): Promise<void> {
  for (let vanished = 0; ; vanished += 1) {
    try {
      await prepare(vanished > 0);
      await place();
      break;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || vanished === maxVanished) throw error;
    }
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
