import { Logger } from '@nestjs/common';
import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode, type FileSystem } from './file-system.js';
import type { Permissions } from './permissions.js';

/** What file systems that cannot flush a folder respond: CIFS, and some of FUSE. */
const unsupported = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);
const reported = new WeakSet<FileSystem>();

interface Flushes {
  running: Promise<void>;
  /** Has not begun: it serves everybody who has changed the folder until then. */
  next: Promise<void> | undefined;
}

const flushes = new WeakMap<FileSystem, Map<string, Flushes>>();

/**
 * Flushes a folder's entries to the disk; otherwise a power failure may undo a completed rename. Those who come while a
 * flush runs share the next one.
 */
export async function syncFolder(files: FileSystem, folder: string): Promise<void> {
  const known = flushes.get(files) ?? new Map<string, Flushes>();
  flushes.set(files, known);
  const current = known.get(folder);
  if (current) {
    current.next ??= current.running.catch(() => undefined).then(() => startFlush(files, folder, known));
    return current.next;
  }
  return startFlush(files, folder, known);
}

function startFlush(files: FileSystem, folder: string, known: Map<string, Flushes>): Promise<void> {
  const running = flushFolder(files, folder);
  const entry: Flushes = { running, next: undefined };
  known.set(folder, entry);
  const end = () => {
    if (!entry.next) known.delete(folder);
  };
  running.then(end, end);
  return running;
}

async function flushFolder(files: FileSystem, folder: string): Promise<void> {
  const handle = await files.open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    const code = errorCode(error) ?? '';
    if (!unsupported.has(code)) throw error;
    if (reported.has(files)) return;
    reported.add(files);
    new Logger('FilesystemProvider').warn(
      `the file system cannot flush directories (${code}): content stored shortly before a power failure may be lost, and is then downloaded again`,
    );
  } finally {
    await handle.close();
  }
}

/** Flushes of the parents of folders that this process has just created, by file system and path. */
const parentFlushes = new WeakMap<FileSystem, Map<string, Promise<void>>>();

/**
 * Creates a folder and its parents. It does not wait until they are durable: that is for commits below them, which need
 * it at their end, and not for what a power failure may lose.
 * @param permissions of created folders
 */
export async function makeFolder(files: FileSystem, folder: string, permissions: Permissions): Promise<void> {
  try {
    await makeOne(files, folder, permissions);
  } catch (error) {
    // Level by level, since Node's recursive mkdir never ends where no folder can be created, as in /proc.
    if (errorCode(error) !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeFolder(files, dirname(folder), permissions);
    await makeOne(files, folder, permissions);
  }
}

async function makeOne(files: FileSystem, folder: string, permissions: Permissions): Promise<void> {
  try {
    await files.mkdir(folder, { mode: permissions.folder });
    await permissions.setOnFolder(files, folder);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    const status = await files.lstat(folder);
    if (status.isDirectory() || status.isSymbolicLink()) return;
    throw error;
  }
  flushParent(files, folder);
}

function flushParent(files: FileSystem, folder: string): void {
  const running = parentFlushes.get(files) ?? new Map<string, Promise<void>>();
  parentFlushes.set(files, running);
  const flush = syncFolder(files, dirname(folder)).catch((error: unknown) => {
    // A folder that is removed again because it is empty does not matter to commits.
    if (errorCode(error) !== 'ENOENT') throw error;
  });
  running.set(folder, flush);
  const end = () => {
    if (running.get(folder) === flush) running.delete(folder);
  };
  // Commits below the folder receive the error.
  flush.then(end, end);
}

/** Waits until the folders above a path that this process has created are durable. */
export async function flushFoldersAbove(files: FileSystem, path: string): Promise<void> {
  const running = parentFlushes.get(files);
  if (!running || running.size === 0) return;
  const waits: Promise<void>[] = [];
  for (let folder = dirname(path); dirname(folder) !== folder; folder = dirname(folder)) {
    const flush = running.get(folder);
    if (flush) waits.push(flush);
  }
  await Promise.all(waits);
}

/**
 * Durably moves a synced file to its final name; removes it on failure.
 * @param prepare creates or refuses the folder of the final name; called again if the folder has been removed.
 */
export async function moveInto(files: FileSystem, from: string, to: string, prepare: Prepare): Promise<void> {
  await placeInto(prepare, () => files.rename(from, to));
  await settle(files, to);
}

/** As `moveInto`, with a hard link. @throws EEXIST when the final name exists */
export async function linkInto(files: FileSystem, from: string, to: string, prepare: Prepare): Promise<void> {
  await placeInto(prepare, () => files.link(from, to));
  await settle(files, to);
}

/** As `moveInto`, for what a power failure may lose. */
export function moveQuickly(files: FileSystem, from: string, to: string, prepare: Prepare): Promise<void> {
  return placeInto(prepare, () => files.rename(from, to));
}

/** As `linkInto`, for what a power failure may lose. */
export function linkQuickly(files: FileSystem, from: string, to: string, prepare: Prepare): Promise<void> {
  return placeInto(prepare, () => files.link(from, to));
}

type Prepare = (isRetry: boolean) => Promise<void>;

/** Retries when the target folder is removed concurrently, as empty folders are. */
const maxRetries = 5;

async function placeInto(prepare: Prepare, place: () => Promise<void>): Promise<void> {
  for (let retries = 0; ; retries += 1) {
    try {
      await prepare(retries > 0);
      await place();
      return;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || retries === maxRetries) throw error;
    }
  }
}

async function settle(files: FileSystem, to: string): Promise<void> {
  try {
    await Promise.all([syncFolder(files, dirname(to)), flushFoldersAbove(files, to)]);
  } catch (error) {
    await files.unlink(to).catch(() => undefined);
    throw error;
  }
}
