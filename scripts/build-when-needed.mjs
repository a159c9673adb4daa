// Builds when dist is absent or older than any source, so that `npm start` works straight from a clone.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = readdirSync('src', { recursive: true }).map((file) => `src/${file}`);
const newest = Math.max(
  ...[
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/bundle.mjs',
    'scripts/bundle.names.mjs',
    'scripts/bundle.plugins.mjs',
    ...sources,
  ].map(modified),
);

if (modified('dist/main.js') < newest) {
  const reason = modified('dist/main.js') === 0 ? 'there is no build yet' : 'the source is newer than the build';
  process.stderr.write(`Building oci-registry, because ${reason}. This takes a moment …\n`);
  const build = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  process.exitCode = build.status ?? 1;
}
