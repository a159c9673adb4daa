import { constants, type Stats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';

/** Largest file in bytes. */
const maxBytes = 16 * 1024 * 1024;

/** What tells one version of a file from another. @throws Error when it is not a regular file, or too large */
export async function markOf(path: string): Promise<string> {
  const { mtimeMs, size, ino, dev } = asRegular(await stat(path));
  return `${mtimeMs} ${size} ${ino} ${dev}`;
}

/** Reads a regular file: a FIFO may never have content, and a device no end. @throws Error as above */
export async function readRegularFile(path: string): Promise<string> {
  // First: opening some devices has effects.
  asRegular(await stat(path));
  // It may be a FIFO by now, where opening would block a thread until somebody writes.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    asRegular(await file.stat());
    return (await readBounded(file)).toString('utf8');
  } finally {
    await file.close();
  }
}

async function readBounded(file: FileHandle): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let size = 0; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(64 * 1024));
    if (bytesRead === 0) return Buffer.concat(chunks);
    size += bytesRead;
    if (size > maxBytes) throw new Error('is larger than 16 MiB');
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

function asRegular(stats: Stats): Stats {
  if (!stats.isFile()) throw new Error('is not a regular file');
  if (stats.size > maxBytes) throw new Error('is larger than 16 MiB');
  return stats;
}
