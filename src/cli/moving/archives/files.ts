import type { FileHandle } from 'node:fs/promises';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MoveError, reasonOf } from '../move-error.js';
import { collect } from '../verified.js';

/** Bytes of one read. */
const chunkSize = 256 * 1024;

/** Named files: of a folder, or of an archive. Names have `/` between their parts. */
export interface Files {
  /** Bytes; undefined when there is no such file. @throws MoveError for what is not a file */
  sizeOf(name: string): Promise<number | undefined>;
  /** @throws MoveError */
  read(name: string, offset?: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** A whole file. @throws MoveError when it is missing or larger */
export async function readFileOf(files: Files, name: string, limit: number): Promise<Buffer> {
  return collect(files.read(name), limit, name);
}

/** Bytes of a file from one place to another. @throws MoveError when it ends before */
export async function* readRange(file: FileHandle, start: number, end: number, name: string): AsyncGenerator<Buffer> {
  for (let position = start; position < end;) {
    const buffer = Buffer.allocUnsafe(Math.min(chunkSize, end - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new MoveError(`${name} is truncated`);
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A folder on this machine. */
export class Folder implements Files {
  constructor(private readonly path: string) {}

  async sizeOf(name: string): Promise<number | undefined> {
    const found = await this.find(name);
    if (found && !found.isFile()) throw new MoveError(`${name} is not a regular file`);
    return found?.size;
  }

  async *read(name: string, offset = 0): AsyncGenerator<Uint8Array> {
    // Opening a pipe would wait for a writer.
    const size = await this.sizeOf(name);
    if (size === undefined) throw new MoveError(`${name} is missing`);
    const file = await open(join(this.path, name), 'r');
    try {
      yield* readRange(file, offset, size, name);
    } finally {
      await file.close();
    }
  }

  async hasFolder(name: string): Promise<boolean> {
    return (await this.find(name))?.isDirectory() === true;
  }

  /** Folders in a folder, in order, links not among them; none when there is no such folder. @throws MoveError */
  async list(name: string): Promise<string[]> {
    try {
      const entries = await readdir(join(this.path, name), { withFileTypes: true });
      return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
    } catch (error) {
      if (isAbsent(error)) return [];
      throw new MoveError(reasonOf(error));
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private async find(name: string) {
    try {
      return await stat(join(this.path, name));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw new MoveError(reasonOf(error));
    }
  }
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
