import type { FileHandle } from 'node:fs/promises';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MoveError } from '../move-error.js';
import { Semaphore } from '../../../config/concurrency/semaphore.js';
import { entryHeader, padding, trailer } from '../../../oci/archives/tar.header.js';

/** Writes files that nobody sees before all of them are there. */
export interface LayoutWriter {
  /** @throws what the content throws; the writer can only be discarded then */
  add(name: string, size: number, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Gives it its name. @throws MoveError when something has that name */
  finish(): Promise<void>;
  /** Removes everything. */
  discard(): Promise<void>;
}

/** @param destination file that ends with `.tar`, or folder, neither of which exists. @throws MoveError */
export async function openWriter(destination: string): Promise<LayoutWriter> {
  await assertAbsent(destination);
  return destination.endsWith('.tar') ? TarWriter.open(destination) : FolderWriter.open(destination);
}

class FolderWriter implements LayoutWriter {
  private constructor(
    private readonly destination: string,
    private readonly path: string,
  ) {}

  static async open(destination: string): Promise<FolderWriter> {
    const path = temporaryName(destination);
    await mkdir(path);
    return new FolderWriter(destination, path);
  }

  async add(name: string, _size: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(this.path, name);
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'wx');
    try {
      for await (const chunk of content) await file.writeFile(chunk);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async finish(): Promise<void> {
    await assertAbsent(this.destination);
    await rename(this.path, this.destination);
  }

  discard(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}

/** One file after the other. */
class TarWriter implements LayoutWriter {
  private readonly slot = new Semaphore(1);
  private readonly folders = new Set<string>();

  private constructor(
    private readonly destination: string,
    private readonly path: string,
    private readonly file: FileHandle,
  ) {}

  static async open(destination: string): Promise<TarWriter> {
    const path = temporaryName(destination);
    return new TarWriter(destination, path, await open(path, 'wx'));
  }

  add(name: string, size: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    return this.slot.run(async () => {
      await this.addFolders(dirname(name));
      await this.file.writeFile(entryHeader(name, size, 'file'));
      for await (const chunk of content) await this.file.writeFile(chunk);
      await this.file.writeFile(padding(size));
    });
  }

  async finish(): Promise<void> {
    await this.file.writeFile(trailer);
    await this.file.datasync();
    await this.file.close();
    await assertAbsent(this.destination);
    await rename(this.path, this.destination);
  }

  async discard(): Promise<void> {
    await this.file.close();
    await rm(this.path, { force: true });
  }

  private async addFolders(name: string): Promise<void> {
    if (name === '.' || this.folders.has(name)) return;
    await this.addFolders(dirname(name));
    this.folders.add(name);
    await this.file.writeFile(entryHeader(`${name}/`, 0, 'folder'));
  }
}

function temporaryName(destination: string): string {
  return `${destination.replace(/\/+$/, '')}.partial-${process.pid}`;
}

async function assertAbsent(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (found) throw new MoveError(`${path} exists: an export begins with nothing`);
}
