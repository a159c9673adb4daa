import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, lstat, open, readdir, rm, statfs, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BufferSpace } from '../../../storage.provider.js';
import { errorCode } from '../../filesystem/file-system.js';
import { TempFile } from './temp-file.js';
import { toTemporaryError } from './temporary-error.js';

const folderName = /^oci-registry-s3-(\d{1,10})-[A-Za-z0-9]{6}$/;
/** Types of file systems in memory, in `statfs`: tmpfs and ramfs. */
const inMemory = new Set([0x01021994, 0x858458f6]);
const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/**
 * A private folder of this process in the system's temporary folder. Files are unlinked as soon as they are open, so a
 * killed process leaves only the empty folder.
 */
export class TempFolder {
  private path: Promise<string> | undefined;

  /** @param parent replaces the system's temporary folder in tests. */
  constructor(private readonly parent: string = tmpdir()) {}

  /** @throws StorageError `full` or `failed` */
  async createFile(): Promise<TempFile> {
    try {
      return await this.tryCreate();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw toTemporaryError(error, 'begin to write to');
    }
    // A cleaner of temporary files has removed the folder.
    this.path = undefined;
    try {
      return await this.tryCreate();
    } catch (error) {
      throw toTemporaryError(error, 'begin to write to');
    }
  }

  /** @throws StorageError `failed` */
  async space(): Promise<BufferSpace> {
    try {
      const { bavail, blocks, bsize, type } = await statfs(this.parent);
      return { folder: this.parent, free: bavail * bsize, total: blocks * bsize, isInMemory: inMemory.has(type) };
    } catch (error) {
      throw toTemporaryError(error, 'look at');
    }
  }

  /** Removes folders of killed processes of this user that are at least `age` milliseconds old; returns how many. */
  async sweep(age: number): Promise<number> {
    let swept = 0;
    const own = await this.path?.catch(() => undefined);
    for (const name of await readdir(this.parent)) {
      const pid = Number(folderName.exec(name)?.[1] ?? 0);
      const path = join(this.parent, name);
      // In containers every process has the same id, so an earlier one may have had it. A folder that is taken from another
      // container is made again.
      const isUsed = pid === process.pid ? path === own : isRunning(pid);
      if (pid === 0 || isUsed) continue;
      try {
        const status = await lstat(path);
        const isOurs = status.isDirectory() && status.uid === process.getuid?.();
        if (!isOurs || status.mtimeMs > Date.now() - age) continue;
        await rm(path, { recursive: true });
        swept += 1;
      } catch (error) {
        // Another process may have removed it.
        if (errorCode(error) !== 'ENOENT') throw toTemporaryError(error, 'sweep');
      }
    }
    return swept;
  }

  async close(): Promise<void> {
    const path = await this.path?.catch(() => undefined);
    this.path = undefined;
    if (path !== undefined) await rm(path, { recursive: true, force: true });
  }

  private async tryCreate(): Promise<TempFile> {
    this.path ??= mkdtemp(join(this.parent, `oci-registry-s3-${process.pid}-`));
    const making = this.path;
    const folder = await making.catch((error: unknown) => {
      if (this.path === making) this.path = undefined;
      throw error;
    });
    const path = join(folder, randomUUID());
    const handle = await open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      await unlink(path);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new TempFile(handle);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: another user's process, which is running.
    return errorCode(error) !== 'ESRCH';
  }
}
