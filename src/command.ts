import { earlyReload } from './process/early.reload.js';
import { postponeDateFormats } from './cli/date-formats.js';
import { useCompilers } from './cli/heap.js';
import { workerNumber } from './cli/worker-number.js';

postponeDateFormats();
// A reader as `head` takes what it wants of a command's output.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(141);
});
const { runCommandLine } = await import('./cli/command-line.js');
// Loaded when there is something to serve or to check: help, mistakes and other commands need none of it.
process.exitCode = await runCommandLine(process.argv.slice(2), {
  serve: async (settings) => {
    const worker = workerNumber();
    // A worker gets the request from its supervisor; its own signal is that of a terminal, which goes to all processes.
    const reload = worker === undefined ? earlyReload : earlyReload.onMessage();
    if (worker !== undefined) return (await import('./process/work.js')).work(settings, worker, reload);
    if (settings.server.workers > 1) return (await import('./process/supervise.js')).supervise(settings, reload);
    await (await import('./process/serve.js')).serve(settings, reload);
    return 0;
  },
  beforeOthers: () => {
    earlyReload.dismiss();
    useCompilers();
  },
  access: async (settings, question) => (await import('./process/access.report.js')).reportAccess(settings, question),
  robot: async (task, file) => (await import('./process/robots.file.js')).keepRobots(task, file, Date.now()),
  doctor: async function* (settings) {
    yield* (await import('./process/doctor.js')).doctor(settings);
  },
});
