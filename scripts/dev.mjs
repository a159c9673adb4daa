// Compiles on every change, and starts the program anew each time. Arguments go to the program.
import { spawn } from 'node:child_process';

const compiler = spawn(
  process.execPath,
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
let program;

function end() {
  compiler.kill();
  program?.kill();
}

compiler.stdout.on('data', (chunk) => {
  process.stdout.write(chunk);
  // Node restarts it when a module that it has loaded changes; until the first compilation there is none to load.
  if (program || !chunk.toString().includes('Watching for file changes')) return;
  program = spawn(process.execPath, ['--watch', '--watch-preserve-output', 'build/main.js', ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  program.once('exit', end);
});
compiler.once('exit', end);
process.once('SIGINT', end);
process.once('SIGTERM', end);
