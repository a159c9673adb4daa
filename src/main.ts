#!/usr/bin/env node
import { keepHeapSmall } from './cli/heap.js';

keepHeapSmall();
const { runCommandLine } = await import('./cli/command-line.js');
process.exitCode = await runCommandLine(
  process.argv.slice(2),
  // Loaded when there is something to serve: help and mistakes need none of it.
  async (settings) => (await import('./serve.js')).serve(settings),
);
