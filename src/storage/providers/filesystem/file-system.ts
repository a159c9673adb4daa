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
>;

export const nodeFileSystem: FileSystem = files;
