import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Conditions that apply to `import` (Node.js, "Conditional exports"). */
const conditions = new Set(['node', 'import', 'module-sync', 'default']);

/**
 * Resolves a module as an import in the folder would: a path, or a package installed there or above.
 * `import.meta.resolve` only resolves relative to its own module.
 * @returns its URL, or undefined when it does not exist.
 */
export function resolveModule(specifier: string, folder: string): string | undefined {
  if (specifier.startsWith('file:')) return specifier;
  const require = createRequire(join(folder, 'module.js'));
  const file = importedFile(specifier, require.resolve.paths(specifier) ?? []);
  if (file !== undefined) return pathToFileURL(file).href;
  try {
    // Paths, including folders with an index.js, and packages without `exports`.
    return pathToFileURL(require.resolve(specifier)).href;
  } catch {
    return undefined;
  }
}

/** The file that a package with `exports` maps the specifier to. */
function importedFile(specifier: string, places: readonly string[]): string | undefined {
  const [, name, path = ''] = /^((?:@[^/]+\/)?[^./@][^/]*)(\/.*)?$/.exec(specifier) ?? [];
  const place = name === undefined ? undefined : places.find((each) => existsSync(join(each, name, 'package.json')));
  if (name === undefined || place === undefined) return undefined;
  const target = targetOf(exportsOf(join(place, name, 'package.json')), `.${path}`);
  return target === undefined ? undefined : join(place, name, target);
}

function exportsOf(file: string): unknown {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { exports?: unknown }).exports;
  } catch {
    return undefined;
  }
}

/** Patterns with `*` are not supported. */
function targetOf(exported: unknown, path: string): string | undefined {
  const isMap = typeof exported === 'object' && exported !== null && Object.keys(exported)[0]?.startsWith('.') === true;
  if (isMap) return conditional((exported as Record<string, unknown>)[path]);
  return path === '.' ? conditional(exported) : undefined;
}

function conditional(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null) return undefined;
  for (const [condition, value] of Object.entries(target)) {
    const found = conditions.has(condition) ? conditional(value) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
