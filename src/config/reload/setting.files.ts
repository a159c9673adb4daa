import { statSync, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ConfigurationError } from '../configuration-error.js';

/** Which version of each file is in use, by path. */
export type FileMarks = ReadonlyMap<string, string>;

/** What is no file, such as a pipe, gives its content only once. */
const special = 'special';

/** The versions of files that settings are read from, while that is done. */
export class SettingFiles {
  private static current: SettingFiles | undefined;
  private readonly seen = new Map<string, string>();

  /** @param isAgain whether only regular files are read: a pipe could keep the process waiting for ever. */
  constructor(private readonly isAgain = false) {}

  get marks(): FileMarks {
    return this.seen;
  }

  /** Runs something that reads files, without a wait in it. */
  record<T>(read: () => T): T {
    const before = SettingFiles.current;
    SettingFiles.current = this;
    try {
      return read();
    } finally {
      SettingFiles.current = before;
    }
  }

  /** To be called before a file is read. @param setting its path in messages. @throws ConfigurationError */
  static note(file: string, setting: string): void {
    SettingFiles.current?.note(file, setting);
  }

  private note(file: string, setting: string): void {
    const mark = markNow(file);
    this.seen.set(file, mark);
    if (!this.isAgain || mark !== special) return;
    const reason = 'is not a regular file and can be read at the start only';
    throw new ConfigurationError([{ path: setting, kind: 'a file', reason }]);
  }
}

/** Which versions are there now. Never rejects. */
export async function marksOf(files: Iterable<string>): Promise<FileMarks> {
  const entries = [...files].map(async (file): Promise<[string, string]> => [file, await markLater(file)]);
  return new Map(await Promise.all(entries));
}

export function areSame(one: FileMarks, other: FileMarks): boolean {
  return one.size === other.size && [...one].every(([file, mark]) => other.get(file) === mark);
}

function markNow(file: string): string {
  try {
    return markIn(statSync(file));
  } catch (error) {
    return codeOf(error);
  }
}

async function markLater(file: string): Promise<string> {
  try {
    return markIn(await stat(file));
  } catch (error) {
    return codeOf(error);
  }
}

/** Through symbolic links. The time of the last change of status, because a file may become readable. */
function markIn(stats: Stats): string {
  const { mtimeMs, ctimeMs, size, ino, dev } = stats;
  return stats.isFile() ? `${mtimeMs} ${ctimeMs} ${size} ${ino} ${dev}` : special;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
