#!/usr/bin/env node
import { postponeDateFormats } from './cli/date-formats.js';
import { tuneHeap } from './cli/heap.js';
import { workerNumber } from './cli/worker-number.js';

tuneHeap();
postponeDateFormats();
const { runCommandLine } = await import('./cli/command-line.js');
// Loaded when there is something to serve or to check: help, mistakes and other commands need none of it.
process.exitCode = await runCommandLine(process.argv.slice(2), {
  serve: async (settings) => {
    const worker = workerNumber();
    if (worker !== undefined) return (await import('./process/work.js')).work(settings, worker);
    if (settings.server.workers > 1) return (await import('./process/supervise.js')).supervise(settings);
    await (await import('./process/serve.js')).serve(settings);
    return 0;
  },
  access: async (settings, question) => (await import('./process/access.report.js')).reportAccess(settings, question),
  doctor: async function* (settings) {
    yield* (await import('./process/doctor.js')).doctor(settings);
  },
});
