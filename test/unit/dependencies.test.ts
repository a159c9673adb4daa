import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

it('docs/dependencies.md has a reason for each production dependency, and no other', async () => {
  const { dependencies } = JSON.parse(await readFile('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const rows = (await readFile('docs/dependencies.md', 'utf8')).split('\n').filter((line) => line.startsWith('| `'));
  const listed = rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  expect(listed.sort()).toEqual(Object.keys(dependencies).sort());
});
