import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Modules of Node that a server uses at rest. */
const used = [
  'cluster',
  'crypto',
  'dns/promises',
  'fs/promises',
  'http',
  'perf_hooks',
  'stream/promises',
  'timers/promises',
];

/**
 * Keeps V8's young generation at its initial size, like `--max-semi-space-size`: under load it would grow to 32 MiB and
 * more for objects that live for one request, and never shrink. The old generation may double before it is collected:
 * with less, passing through a download triggers a collection every few megabytes (docs/performance.md). Call this before
 * loading anything large.
 */
export function tuneHeap(): void {
  // Before options change: those that do not agree with Node's own code cache make it compile its modules anew.
  for (const name of used) process.getBuiltinModule(`node:${name}`);
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=100');
}

const hasMaglev = (process.config.variables as { v8_enable_maglev?: number }).v8_enable_maglev === 1;

/** V8's compilers of hot functions. None when Node was started with an option on compilers, which then decides. */
export function compilersBeside(options: readonly string[]): readonly string[] {
  const own = /^--(no-)?(opt|turbofan|sparkplug|maglev|jitless|lite)/;
  if (options.some((option) => own.test(option.replaceAll('_', '-')))) return [];
  return ['sparkplug', ...(hasMaglev ? ['maglev'] : []), 'opt'];
}

const compilers = compilersBeside([...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')]);

/**
 * Has V8 interpret everything until `useCompilers`. What is hot while the program starts is cold afterwards, and compilers
 * bring 5 MiB of Node's own code into memory.
 */
export function postponeCompilers(): void {
  for (const name of compilers) setFlagsFromString(`--no-${name}`);
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
