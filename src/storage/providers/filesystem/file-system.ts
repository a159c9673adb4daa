import * as files from 'node:fs/promises';

/** The calls the provider makes, so that a test can let one of them fail. */
export type FileSystem = Pick<
  typeof files,
  'open' | 'rename' | 'link' | 'mkdir' | 'rmdir' | 'unlink' | 'lstat' | 'opendir' | 'realpath' | 'statfs' | 'lutimes'
>;

export const nodeFileSystem: FileSystem = files;
