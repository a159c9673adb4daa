// Builds when dist is absent or older than any source, so that `npm start` works straight from a clone.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = readdirSync('src', { recursive: true }).map((file) => `src/${file}`);
const newest = Math.max(
  ...['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/bundle.mjs', ...sources].map(modified),
);

if (modified('dist/main.js') < newest) {
  const build = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  process.exitCode = build.status ?? 1;
}
