import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveModule } from './resolve-module.js';

let root: string;

const packages: Record<string, object> = {
  plain: { main: 'lib.js' },
  modern: { exports: './lib.js' },
  dual: { exports: { '.': { types: './lib.d.ts', require: './lib.cjs', import: './lib.js' }, './deep': './deep.js' } },
  nested: { exports: { node: { require: './lib.cjs', default: './lib.js' } } },
  '@scope/name': { exports: { '.': './lib.js', './deep': { default: './deep.js' } } },
  'a.b': { exports: './lib.js' },
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'oci-registry-resolve-'));
  await mkdir(join(root, 'below/here'), { recursive: true });
  await writeFile(join(root, 'own.mjs'), '');
  for (const [name, manifest] of Object.entries(packages)) {
    for (const file of ['lib.js', 'lib.cjs', 'deep.js', 'package.json']) {
      const path = join(root, 'node_modules', name, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, file === 'package.json' ? JSON.stringify({ name, ...manifest }) : '');
    }
  }
});

afterAll(() => rm(root, { recursive: true }));

describe('resolveModule', () => {
  it.each([
    ['plain', 'plain/lib.js'],
    ['plain/deep.js', 'plain/deep.js'],
    ['modern', 'modern/lib.js'],
    ['dual', 'dual/lib.js'],
    ['dual/deep', 'dual/deep.js'],
    ['nested', 'nested/lib.js'],
    ['@scope/name', '@scope/name/lib.js'],
    ['@scope/name/deep', '@scope/name/deep.js'],
    ['a.b', 'a.b/lib.js'],
  ])('finds the package %s here and from below', (specifier, file) => {
    const url = pathToFileURL(join(root, 'node_modules', file)).href;
    expect(resolveModule(specifier, root)).toBe(url);
    expect(resolveModule(specifier, join(root, 'below/here'))).toBe(url);
  });

  it('finds paths from the folder', () => {
    const url = pathToFileURL(join(root, 'own.mjs')).href;
    expect(resolveModule('./own.mjs', root)).toBe(url);
    expect(resolveModule('../../own.mjs', join(root, 'below/here'))).toBe(url);
    expect(resolveModule(join(root, 'own.mjs'), '/')).toBe(url);
    expect(resolveModule(url, '/')).toBe(url);
  });

  it.each(['absent', '@scope/absent', 'modern/deep.js', 'dual/hidden', './absent.mjs', '/absent', '', '@', 'a/../b'])(
    'finds nothing for %j',
    (specifier) => {
      expect(resolveModule(specifier, root)).toBeUndefined();
    },
  );
});
