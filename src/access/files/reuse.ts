import type { FileKind } from '../access.statistics.js';
import { WatchedFile, type FileContext } from './watched.file.js';

/** Makes the watched file of a setting, or takes over the one that an earlier version of the access file named. */
export function watch<T>(
  kind: FileKind,
  path: string | undefined,
  parse: (text: string) => T,
  context: FileContext,
  previous: WatchedFile<T> | undefined,
): WatchedFile<T> | undefined {
  if (path === undefined || previous?.path === path) return path === undefined ? undefined : previous;
  return new WatchedFile(kind, path, parse, context);
}
