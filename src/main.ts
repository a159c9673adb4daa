#!/usr/bin/env node
import { keepHeapSmall } from './cli/heap.js';

keepHeapSmall();
const { runCommandLine } = await import('./cli/command-line.js');
// Loaded when there is something to serve or to check: help, mistakes and other commands need none of it.
process.exitCode = await runCommandLine(process.argv.slice(2), {
  serve: async (settings) => (await import('./serve.js')).serve(settings),
  doctor: async function* (settings) {
    yield* (await import('./doctor.js')).doctor(settings);
  },
});
