import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { checkIngestId, isIngestId } from '../../keys.js';
import { notFound } from '../../storage-error.js';
import type { ResumableIngest, ResumableIngests } from '../../storage.provider.js';
import { parseCheckpoint } from '../checkpoint.js';
import { errorCode, type FileHandle } from './file-system.js';
import { FilesystemIngest, type IngestContext } from './filesystem.ingest.js';
import { ResumableFile } from './resumable-file.js';
import { toStorageError, toWriteError } from './storage-errors.js';

const { O_RDWR, O_RDONLY, O_NOFOLLOW } = constants;
const fileName = /^[0-9a-f]{16}$/;
/** Bytes that are copied at once. */
const copySize = 1024 * 1024;

export interface IngestsContext extends IngestContext {
  /** The folder of ingests. */
  folder(): string;
  readonly folderMode: number;
  /** Creates a file that must not exist yet, with its folder's parents. */
  createFile(path: string): Promise<FileHandle>;
}

/**
 * Resumable ingests: one file in a folder `ingest/<id>/`. Only one process writes a file. Whoever resumes a checkpoint that
 * its maker has not paused copies the file, since that process may still append to it.
 */
export class FilesystemIngests implements ResumableIngests {
  private readonly inUse = new Map<string, number>();

  constructor(private readonly context: IngestsContext) {}

  async begin(id: string): Promise<ResumableIngest> {
    return Promise.resolve().then(() => this.ingestOf(checkIngestId(id)));
  }

  async resume(id: string, checkpoint: string): Promise<ResumableIngest> {
    const folder = this.folderOf(id);
    const { file, size, isPaused } = parseCheckpoint(checkpoint);
    if (size === 0) return this.ingestOf(id);
    if (typeof file !== 'string' || !fileName.test(file)) throw notFound();
    const path = join(folder, file);
    try {
      const handle = await this.context.files.open(path, (isPaused === true ? O_RDWR : O_RDONLY) | O_NOFOLLOW);
      return await this.resumeFrom(id, { path, handle, size, isPaused: isPaused === true });
    } catch (error) {
      throw toStorageError(error, 'resume to write');
    }
  }

  async discard(id: string): Promise<void> {
    await this.remove(this.folderOf(id));
  }

  async sweep(age: number, isKept: (id: string) => Promise<boolean>): Promise<number> {
    const oldest = Date.now() - age;
    let swept = 0;
    for (const id of await this.entriesOf(this.context.folder())) {
      if (!isIngestId(id) || this.inUse.has(id)) continue;
      const folder = this.folderOf(id);
      if ((await this.usedAt(folder)) > oldest || (await isKept(id))) continue;
      await this.remove(folder);
      swept += 1;
    }
    return swept;
  }

  private async resumeFrom(id: string, { path, handle, size, isPaused }: Source): Promise<ResumableIngest> {
    try {
      const status = await handle.stat();
      if (!status.isFile() || status.size < size) throw notFound();
      if (isPaused && status.size === size) return this.ingestOf(id, this.fileAt(path, handle, size));
    } catch (error) {
      await handle.close();
      throw error;
    }
    try {
      const copy = await this.createFileOf(id);
      try {
        await copyBytes(handle, copy.handle, size);
      } catch (error) {
        await copy.handle.close();
        await this.context.files.unlink(copy.path).catch(() => undefined);
        throw error;
      }
      return this.ingestOf(id, this.fileAt(copy.path, copy.handle, size), path);
    } finally {
      await handle.close();
    }
  }

  /** @param replaced path of the file that was copied. */
  private ingestOf(id: string, file?: FilesystemIngest, replaced?: string): ResumableIngest {
    this.inUse.set(id, (this.inUse.get(id) ?? 0) + 1);
    return new ResumableFile({
      file,
      replaced,
      create: async () => {
        const { path, handle } = await this.createFileOf(id);
        return this.fileAt(path, handle);
      },
      remove: (path) => this.context.files.unlink(path).catch(() => undefined),
      removeAll: () => this.remove(this.folderOf(id)).catch(() => undefined),
      leave: () => {
        const others = (this.inUse.get(id) ?? 1) - 1;
        if (others === 0) this.inUse.delete(id);
        else this.inUse.set(id, others);
      },
    });
  }

  private fileAt(path: string, handle: FileHandle, size = 0): FilesystemIngest {
    return new FilesystemIngest(path, handle, this.context, size);
  }

  private async createFileOf(id: string): Promise<{ path: string; handle: FileHandle }> {
    const path = join(this.folderOf(id), randomBytes(8).toString('hex'));
    try {
      await this.context.files.mkdir(this.folderOf(id), { mode: this.context.folderMode }).catch((error: unknown) => {
        // ENOENT: all of the folder of ingests was removed, which `createFile` mends.
        if (!['EEXIST', 'ENOENT'].includes(errorCode(error) ?? '')) throw error;
      });
      return { path, handle: await this.context.createFile(path) };
    } catch (error) {
      throw toWriteError(error, 'begin to write');
    }
  }

  private folderOf(id: string): string {
    return join(this.context.folder(), checkIngestId(id));
  }

  private async entriesOf(folder: string): Promise<string[]> {
    const names: string[] = [];
    try {
      for await (const { name } of await this.context.files.opendir(folder)) names.push(name);
    } catch (error) {
      const failure = toStorageError(error, 'list unfinished writes');
      if (failure.kind !== 'not-found') throw failure;
    }
    return names;
  }

  /** When the folder or one of its files was last written, in milliseconds since 1970; 0 when there is none. */
  private async usedAt(folder: string): Promise<number> {
    const paths = [folder, ...(await this.entriesOf(folder)).map((name) => join(folder, name))];
    const times = await Promise.all(
      paths.map((path) =>
        this.context.files.lstat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      ),
    );
    return Math.max(...times);
  }

  /** Removes a folder of one ingest; usually it is empty already. */
  private async remove(folder: string): Promise<void> {
    const { files } = this.context;
    const ignore = (error: unknown) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errorCode(error) ?? '')) {
        throw toWriteError(error, 'remove an unfinished write');
      }
    };
    const isGone = await files.rmdir(folder).then(
      () => true,
      (error: unknown) => errorCode(error) === 'ENOENT',
    );
    if (isGone) return;
    for (const name of await this.entriesOf(folder)) await files.unlink(join(folder, name)).catch(ignore);
    await files.rmdir(folder).catch(ignore);
  }
}

interface Source {
  readonly path: string;
  readonly handle: FileHandle;
  readonly size: number;
  readonly isPaused: boolean;
}

async function copyBytes(from: FileHandle, to: FileHandle, size: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(copySize, size));
  for (let done = 0; done < size;) {
    const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.length, size - done), done);
    if (bytesRead === 0) throw notFound();
    for (let written = 0; written < bytesRead;) {
      written += (await to.write(buffer, written, bytesRead - written, done + written)).bytesWritten;
    }
    done += bytesRead;
  }
}
