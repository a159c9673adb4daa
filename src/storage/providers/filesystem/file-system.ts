import * as files from 'node:fs/promises';

/** The system calls of the provider; tests replace single ones. */
export type FileSystem = Pick<
  typeof files,
  | 'open'
  | 'rename'
  | 'link'
  | 'mkdir'
  | 'rmdir'
  | 'unlink'
  | 'lstat'
  | 'opendir'
  | 'readdir'
  | 'realpath'
  | 'statfs'
  | 'lutimes'
  | 'chmod'
>;

export const nodeFileSystem: FileSystem = files;

/** The system's code of an error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
