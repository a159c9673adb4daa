import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** More than this, and a newcomer reads a list instead of guessing a name. */
const maxFiles = 15;

function* foldersBelow(folder: string): Generator<string> {
  yield folder;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) yield* foldersBelow(join(folder, entry.name));
  }
}

const filesIn = (folder: string) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !/[.]test[.]tsx?$/.test(entry.name))
    .map((entry) => entry.name)
    // Decisions are found by their number, and are never taken away.
    .filter((name) => folder !== 'docs/decisions' || !/^\d{4}-/.test(name));

describe('the layout of the source', () => {
  it.each(['src', 'bench', 'charts', 'docs', 'scripts', 'contrib'].flatMap((root) => [...foldersBelow(root)]))(
    'keeps %s small',
    (folder) => {
      expect(filesIn(folder).length).toBeLessThanOrEqual(maxFiles);
    },
  );

  it('replaces modules only in tests that have modules of their own (vitest.config.ts)', () => {
    const tests = [...foldersBelow('src'), ...foldersBelow('test/unit')].flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.test.ts'))
        .map((name) => join(folder, name)),
    );
    const replacing = tests.filter((path) => /^vi[.](mock|doMock|resetModules)\(/m.test(readFileSync(path, 'utf8')));
    expect(replacing.length).toBeGreaterThan(0);
    expect(replacing.filter((path) => !path.startsWith('src/upstream/credentials/'))).toEqual([]);
  });

  it('has the folders that CONTRIBUTING.md guesses', () => {
    const [, section = ''] = readFileSync('CONTRIBUTING.md', 'utf8').split('## Where is it?');
    const answers = [...section.split('\n## ')[0]!.matchAll(/^\| .+\? +\| `([^`]+)` +\|$/gm)].map(([, path]) => path!);
    expect(answers.length).toBeGreaterThanOrEqual(20);
    expect(answers.filter((path) => !existsSync(path))).toEqual([]);
  });
});
