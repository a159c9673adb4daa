import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Every file that the mirror in this root serves as content, with the digest in its name and that of its bytes. */
export async function storedContent(root: string): Promise<{ named: string; found: string }[]> {
  const blobs = join(root, 'blobs');
  const content: { named: string; found: string }[] = [];
  for (const file of await filesBelow(blobs)) {
    const [algorithm = ''] = relative(blobs, file).split(sep);
    const hash = createHash(algorithm);
    await pipeline(createReadStream(file), hash);
    content.push({ named: `${algorithm}:${basename(file)}`, found: `${algorithm}:${hash.digest('hex')}` });
  }
  return content;
}

/** What the mirror has begun to write and not committed. */
export function uncommitted(root: string): Promise<string[]> {
  return filesBelow(join(root, 'ingest'));
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
