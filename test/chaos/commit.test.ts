import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build as bundle } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { Namespace } from '../../src/oci/namespace.js';
import { Tag } from '../../src/oci/reference.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { ContentStore } from '../../src/storage/stores/content.store.js';
import { ManifestStore } from '../../src/storage/stores/manifest.store.js';
import { FilesystemProvider } from '../../src/storage/providers/filesystem/filesystem.provider.js';
import { openLedger } from '../../src/storage/space/open-ledger.js';
import { StoredObjects } from '../../src/storage/stores/stored.objects.js';
import { TagStore } from '../../src/storage/stores/tag.store.js';
import { Folder } from '../e2e/support/folder.js';
import { build } from '../e2e/support/program.js';

let programs: Folder;
let child: string;

beforeAll(async () => {
  await build();
  programs = await Folder.make();
  child = programs.file('commit.child.mjs');
  // One file starts in a third of the time, hundreds of times.
  await bundle({
    entryPoints: [join(import.meta.dirname, 'support/commit.child.mjs')],
    outfile: child,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['class-transformer'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
}, 180_000);
afterAll(() => programs[Symbol.asyncDispose]());

const repository = RepositoryRef.of(Namespace.parse('registry.test'), 'app');

/** @returns its number of steps; undefined when it killed itself at the step. */
async function store(root: string, step: number): Promise<number | undefined> {
  try {
    const args = [child, root, String(step)];
    return Number((await promisify(execFile)(process.execPath, args)).stdout);
  } catch (error) {
    if ((error as { signal?: string }).signal === 'SIGKILL') return undefined;
    throw error;
  }
}

/** Opens a folder as the next process does, and reads everything that can be read in it. */
async function check(root: string): Promise<void> {
  const provider = new FilesystemProvider(root);
  await provider.initialize();
  await provider.sweepIngests(-1_000);
  const objects = new StoredObjects(provider);
  const isThere = new Set<string>();
  for await (const { key, digest } of objects.contents()) {
    expect(Digest.of(await readFile(join(root, key)), digest.algorithm).toString()).toBe(digest.toString());
    isThere.add(digest.toString());
  }
  const [contents, manifests, tags] = [new ContentStore(provider), new ManifestStore(provider), new TagStore(provider)];
  for await (const { kind, digest } of objects.records()) {
    if (kind === 'blob' && digest) {
      expect(await contents.findLink(repository, digest)).toMatchObject({ size: 100_000 });
      // The record comes after its content, and goes after it: only then may it be without.
      if (!isThere.has(digest.toString()))
        expect(await provider.stat(`damaged/blobs/sha256/${digest.hex.slice(0, 2)}/${digest.hex}`)).toBeDefined();
    }
    if (kind === 'manifest' && digest) {
      expect(await manifests.find(repository, digest)).toBeDefined();
      expect(await manifests.findBody(digest)).toBeDefined();
    }
    if (kind === 'tag') expect(await tags.find(repository, Tag.parse('latest'))).toBeDefined();
  }
  for await (const { key } of provider.list('damaged')) expect(key).toMatch(/^damaged\/blobs\//);
  expect((await openLedger(provider, undefined)).bytes).toBeLessThanOrEqual(1);
  await provider.close();
}

describe('a process that is killed', () => {
  it(
    'at any step of storing leaves nothing that is not whole, and the next one goes on',
    { timeout: 600_000 },
    async () => {
      await using folder = await Folder.make();
      const steps = await store(folder.file('whole'), -1);
      expect(steps).toBeGreaterThan(60);
      await check(folder.file('whole'));
      const todo = Array.from({ length: steps ?? 0 }, (_, index) => index);
      const worker = async () => {
        for (let step = todo.shift(); step !== undefined; step = todo.shift()) {
          const root = folder.file(String(step));
          expect(await store(root, step)).toBeUndefined();
          await check(root);
          // Over what the killed one left, all of it works.
          if (step % 10 !== 0) continue;
          expect(await store(root, -1)).toBeGreaterThan(60);
          await check(root);
        }
      };
      await Promise.all([worker(), worker()]);
    },
  );
});
