import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Mirror } from '../../e2e/support/mirror.js';

/** Paths below a mirror's folder, without the folder itself. */
export async function storedFiles({ root }: { readonly root: string }): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1));
}

/** Digests of what is stored, whoever may have it. */
export async function storedDigests(mirror: { readonly root: string }): Promise<string[]> {
  const files = await storedFiles(mirror);
  return files.flatMap((file) => {
    const [, algorithm, hex] = /^blobs\/(sha256|sha512)\/[0-9a-f]{2}\/([0-9a-f]+)$/.exec(file) ?? [];
    return hex === undefined ? [] : [`${algorithm}:${hex}`];
  });
}

/** Secrets of the fakes begin with `planted-`; in Basic credentials they are in base64. */
const secrets = ['planted-', ...[0, 1, 2].map((shift) => encodedInside('planted-', shift))];

/** No secret in the log, in what clients got, or in any stored file. */
export async function expectNoSecrets(mirror: Mirror, responses: readonly unknown[] = []): Promise<void> {
  const texts = [mirror.log, JSON.stringify(responses), ...responses.map(bodyOf)];
  for (const file of await storedFiles(mirror))
    texts.push(file, (await readFile(join(mirror.root, file))).toString('latin1'));
  for (const secret of secrets) expect(texts.filter((text) => text.includes(secret))).toEqual([]);
}

function bodyOf(response: unknown): string {
  const { body } = (response ?? {}) as { body?: unknown };
  return Buffer.isBuffer(body) ? body.toString('latin1') : '';
}

/** The part of a text's base64 that does not depend on what is around it, when `shift` bytes of a group come before. */
function encodedInside(text: string, shift: number): string {
  const encoded = Buffer.from(' '.repeat(shift) + text)
    .toString('base64')
    .replace(/=+$/, '');
  return encoded.slice(shift === 0 ? 0 : 4, Math.floor((shift + text.length) / 3) * 4);
}
