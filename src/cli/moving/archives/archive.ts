import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { MoveError } from '../move-error.js';
import { readRange, type Files } from './files.js';
import { unpackedFile } from './gunzip.js';
import { readEntries, type TarEntry } from './tar.reader.js';

const maxLinks = 8;

/** A tar archive, whose content is read in place: nothing of it is unpacked, so its names and links lead nowhere. */
export class Archive implements Files {
  private constructor(
    private readonly file: FileHandle,
    private readonly entries: ReadonlyMap<string, TarEntry>,
    /** Whether it has its end marker: one without may be whole, if nothing is missing. */
    readonly hasEnd: boolean,
  ) {}

  /** @param path of an archive, which may be compressed with gzip. @throws MoveError */
  static async open(path: string, signal: AbortSignal): Promise<Archive> {
    const file = await unpackedFile(await open(path, 'r'), signal);
    try {
      const { size } = await file.stat();
      const entries = new Map<string, TarEntry>();
      let hasEnd = false;
      for await (const entry of readEntries(file, size, () => (hasEnd = true))) {
        signal.throwIfAborted();
        const earlier = entries.get(entry.name);
        if (earlier && !(earlier.kind === 'folder' && entry.kind === 'folder') && earlier.size !== entry.size)
          throw new MoveError(`the archive has ${entry.name.slice(0, 256)} twice, with different sizes`);
        entries.set(entry.name, entry);
      }
      return new Archive(file, entries, hasEnd);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Whether an entry has this name, or begins with it as a folder. */
  has(name: string): boolean {
    return this.entries.has(name);
  }

  sizeOf(name: string): Promise<number | undefined> {
    return Promise.resolve().then(() => this.find(name)?.size);
  }

  async *read(name: string, offset = 0): AsyncGenerator<Uint8Array> {
    const entry = this.find(name);
    if (!entry) throw new MoveError(`${name.slice(0, 256)} is missing in the archive`);
    yield* readRange(this.file, entry.offset + offset, entry.offset + entry.size, 'the archive');
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** Follows links, which `docker save` has for layers that repeat. */
  private find(name: string): TarEntry | undefined {
    let current = name;
    for (let count = 0; count < maxLinks; count += 1) {
      const entry = this.entries.get(current);
      if (!entry && !this.hasEnd)
        throw new MoveError(
          `the archive is truncated: it has no end marker, and ${current.slice(0, 256)} is not in it`,
        );
      if (!entry || entry.kind === 'file') return entry;
      if (entry.kind !== 'link' && entry.kind !== 'symlink')
        throw new MoveError(`${current.slice(0, 256)} in the archive is not a regular file`);
      const base = entry.kind === 'link' ? '' : posix.dirname(current);
      current = posix.join(base, entry.target);
      if (entry.target.startsWith('/') || current.startsWith('..'))
        throw new MoveError(`${name.slice(0, 256)} is a link that leads out of the archive`);
    }
    throw new MoveError(`${name.slice(0, 256)} in the archive is a link of too many links`);
  }
}
