import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

/** Files and packages that are loaded with a file, types and dynamic imports aside. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)';/gms);
  for (const [, target = ''] of imports) {
    if (!target.startsWith('.')) seen.add(target);
    else {
      const path = join(dirname(file), target.replace(/[.]js$/, ''));
      loadedWith(existsSync(`${path}.ts`) ? `${path}.ts` : `${path}.tsx`, seen);
    }
  }
  return seen;
}

it('keeps pages, and what renders them, out of a server that nobody looks at', () => {
  const loaded = [...loadedWith('src/command.ts'), ...loadedWith('src/app.factory.ts')];
  expect(loaded).toEqual(expect.arrayContaining(['src/web/pages.plugin.ts', '@nestjs/core']));
  expect(loaded.filter((name) => /^preact|[.]tsx$/.test(name))).toEqual([]);
  const own = loaded.filter((name) => name.startsWith('src/web/')).sort();
  expect([...new Set(own)]).toEqual(
    ['page.table.ts', 'pages.plugin.ts', 'preferred-type.ts', 'sign-in.path.ts'].map((name) => `src/web/${name}`),
  );
});
