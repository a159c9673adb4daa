import type { FileHandle } from 'node:fs/promises';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { MoveError, reasonOf } from '../move-error.js';
import { readRange } from './files.js';

/** Times that an archive may become as large as it is, and bytes that it may have in any case. */
const maxRatio = 200;
const leastLimit = 256 * 1024 * 1024;

const formats: readonly [magic: string, name: string, remedy: string][] = [
  ['28b52ffd', 'zstd', 'zstd -d'],
  ['fd377a585a00', 'xz', 'xz -d'],
  ['425a68', 'bzip2', 'bzip2 -d'],
];

export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/**
 * The file itself, or, of one that is compressed with gzip, its content in a file without a name, which goes when it is
 * closed. Its content must be read in any order, which a compressed file does not allow.
 * @throws MoveError for another compression, damage, and content that is much larger than the file
 */
export async function unpackedFile(file: FileHandle, signal: AbortSignal): Promise<FileHandle> {
  const start = Buffer.alloc(6);
  await file.read(start, 0, start.length, 0);
  if (isGzip(start)) {
    try {
      return await gunzip(file, signal);
    } finally {
      await file.close();
    }
  }
  const [, name, remedy] = formats.find(([magic]) => start.toString('hex').startsWith(magic)) ?? [];
  if (name === undefined) return file;
  await file.close();
  throw new MoveError(`the archive is compressed with ${name}: decompress it first with ${remedy ?? ''}`);
}

async function gunzip(file: FileHandle, signal: AbortSignal): Promise<FileHandle> {
  const { size } = await file.stat();
  const folder = await mkdtemp(join(tmpdir(), 'oci-registry-'));
  try {
    const unpacked = await open(join(folder, 'archive.tar'), 'wx+', 0o600);
    // The pipeline itself fails with an AbortError when a write fails.
    let failure: MoveError | undefined;
    const fail = (error: unknown) => {
      failure = new MoveError(`${reasonOf(error)}: the archive is unpacked in ${tmpdir()}`);
      throw failure;
    };
    const write = async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) await unpacked.writeFile(chunk).catch(fail);
    };
    try {
      const limit = Math.max(leastLimit, size * maxRatio);
      await pipeline(readRange(file, 0, size, 'the archive'), createGunzip(), limited(limit), write, { signal });
      return unpacked;
    } catch (error) {
      await unpacked.close();
      throw failure ?? error;
    }
  } catch (error) {
    signal.throwIfAborted();
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') === true)
      throw new MoveError('the archive is damaged or truncated: gzip cannot read it');
    throw error;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function limited(limit: number): Transform {
  let count = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      count += chunk.length;
      if (count <= limit) done(null, chunk);
      else
        done(
          new MoveError(`the archive unpacks to more than ${maxRatio} times its size: decompress it with gunzip first`),
        );
    },
  });
}
