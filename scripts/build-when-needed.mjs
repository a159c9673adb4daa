// Builds when dist is absent or older than any source, so that `npm start` works straight from a clone.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync, utimesSync } from 'node:fs';

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = readdirSync('src', { recursive: true }).map((file) => `src/${file}`);
const newest = Math.max(...['package.json', 'tsconfig.json', 'tsconfig.build.json', ...sources].map(modified));

if (modified('dist/main.js') < newest) {
  const build = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  process.exitCode = build.status ?? 1;
  // An incremental build leaves an unchanged main.js untouched; the date says that it is current.
  if (build.status === 0) utimesSync('dist/main.js', new Date(), new Date());
}
