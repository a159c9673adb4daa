import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** Every file in a store, as paths below its root, in order. */
export async function storedFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(root, join(parentPath, name)))
    .sort();
}
