import { Logger } from '@nestjs/common';
import { errorCode, type FileHandle, type FileSystem } from './file-system.js';

const permissionBits = 0o777;

/**
 * Gives files and folders exactly the permissions that `--umask` leaves: creating them also withholds those of the
 * process's own umask, and default access control lists replace both.
 */
export class Permissions {
  private readonly logger = new Logger('FilesystemProvider');
  readonly file: number;
  readonly folder: number;
  /** Whether new files need another call; all are created in one folder, so the first one tells. */
  private isFileModeWrong: boolean | undefined;
  private isReported = false;

  /** @param umask permissions to withhold. */
  constructor(umask: number) {
    this.file = 0o666 & ~umask;
    this.folder = 0o777 & ~umask;
  }

  async setOnFile(handle: FileHandle): Promise<void> {
    await this.attempt(async () => {
      this.isFileModeWrong ??= ((await handle.stat()).mode & permissionBits) !== this.file;
      if (this.isFileModeWrong) await handle.chmod(this.file);
    });
  }

  /** Keeps the set-group-ID bit, which lets all that is created below belong to the group of the folder. */
  async setOnFolder(files: FileSystem, folder: string): Promise<void> {
    await this.attempt(async () => {
      const { mode } = await files.lstat(folder);
      if ((mode & permissionBits) === this.folder) return;
      await files.chmod(folder, (mode & 0o7000) | this.folder);
    });
  }

  /** File systems without permissions of their own refuse to set them, and work all the same. */
  private async attempt(set: () => Promise<void>): Promise<void> {
    try {
      await set();
    } catch (error) {
      // The folder was removed again because it was empty.
      if (errorCode(error) === 'ENOENT' || this.isReported) return;
      this.isReported = true;
      this.logger.warn(`permissions cannot be set as --umask says (${errorCode(error) ?? 'unknown error'})`);
    }
  }
}
