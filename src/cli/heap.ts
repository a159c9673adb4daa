import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const hasMaglev = (process.config.variables as { v8_enable_maglev?: number }).v8_enable_maglev === 1;

/** V8's compilers of hot functions. None when Node was started with an option on compilers, which then decides. */
export function compilersBeside(options: readonly string[]): readonly string[] {
  const own = /^--(no-)?(opt|turbofan|sparkplug|maglev|jitless|lite)/;
  if (options.some((option) => own.test(option.replaceAll('_', '-')))) return [];
  return ['sparkplug', ...(hasMaglev ? ['maglev'] : []), 'opt'];
}

const compilers = compilersBeside([...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')]);

/** Modules of Node that a server uses at rest. */
const used = [
  'assert',
  'child_process',
  'cluster',
  'crypto',
  'dns/promises',
  'fs/promises',
  'http',
  'os',
  'perf_hooks',
  'readline/promises',
  'stream/promises',
  'timers/promises',
  'worker_threads',
];

/**
 * Has V8 interpret everything until `useCompilers`: what is hot while the program starts is cold afterwards, and compilers
 * bring 5 MiB of Node's own code into memory. Call this before loading anything.
 *
 * Keeps V8's young generation at its initial size until `growUnderLoad`, like `--max-semi-space-size`: under load it would
 * grow to 32 MiB and more for objects that live for one request. The old generation may grow by half before it is
 * collected: with V8's default, a download triggers a collection every few megabytes (docs/performance.md).
 */
export function tuneHeap(): void {
  // Options that do not agree with Node's own code cache make it compile its modules anew. Maglev is worse: it compiles
  // the function that loads them, and brings 2 MiB of itself into memory.
  if (!hasMaglev) for (const name of used) process.getBuiltinModule(`node:${name}`);
  for (const name of compilers) setFlagsFromString(`--no-${name}`);
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=50');
}

/** Has V8 compile hot functions from now on. */
export function useCompilers(): void {
  for (const name of compilers) setFlagsFromString(`--${name}`);
}

/** Drops what only the start needed, the bytecode of its functions included. It takes about 0.1 s. */
export function shrinkHeap(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  withFlag('stress-flush-code', collect);
  withFlag('compact-on-every-full-gc', collect);
  setFlagsFromString('--no-expose-gc');
}

function withFlag(name: string, run: () => void): void {
  setFlagsFromString(`--${name}`);
  run();
  setFlagsFromString(`--no-${name}`);
}
