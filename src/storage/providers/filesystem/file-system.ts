import * as files from 'node:fs';
import type { Dir, Stats, StatsFs } from 'node:fs';
import { lutimes, opendir, readdir, statfs } from 'node:fs/promises';
import { OpenedFile, settled } from './file-handle.js';

export type FileHandle = Pick<
  OpenedFile,
  'read' | 'write' | 'sync' | 'datasync' | 'stat' | 'chmod' | 'truncate' | 'close'
>;

/** The system calls of the provider; tests replace single ones. */
export interface FileSystem {
  open(path: string, flags: number, mode?: number): Promise<FileHandle>;
  rename(from: string, to: string): Promise<void>;
  link(existing: string, path: string): Promise<void>;
  mkdir(path: string, options: { readonly mode: number }): Promise<void>;
  rmdir(path: string): Promise<void>;
  unlink(path: string): Promise<void>;
  lstat(path: string): Promise<Stats>;
  opendir(path: string): Promise<Dir>;
  readdir(path: string): Promise<string[]>;
  realpath(path: string): Promise<string>;
  statfs(path: string): Promise<StatsFs>;
  lutimes(path: string, accessed: Date, modified: Date): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
}

const nothing = (start: (done: files.NoParamCallback) => void): Promise<void> => settled(start);

export const nodeFileSystem: FileSystem = {
  open: async (path, flags, mode) =>
    new OpenedFile(await settled<number>((done) => files.open(path, flags, mode, done))),
  rename: (from, to) => nothing((done) => files.rename(from, to, done)),
  link: (existing, path) => nothing((done) => files.link(existing, path, done)),
  mkdir: (path, { mode }) => nothing((done) => files.mkdir(path, mode, done)),
  rmdir: (path) => nothing((done) => files.rmdir(path, done)),
  unlink: (path) => nothing((done) => files.unlink(path, done)),
  lstat: (path) => settled<Stats>((done) => files.lstat(path, done)),
  realpath: (path) => settled<string>((done) => files.realpath.native(path, done)),
  chmod: (path, mode) => nothing((done) => files.chmod(path, mode, done)),
  opendir: (path) => opendir(path),
  readdir: (path) => readdir(path),
  statfs: (path) => statfs(path),
  lutimes,
};

/** The system's code of an error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
