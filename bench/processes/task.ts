import { once } from 'node:events';
import type { Scope } from '../scope.js';
import { startChild } from './child.js';

/** Runs a program of `respondToTask` with one job, in a process of its own. @throws Error when it ends without a report */
export async function runTask<Report>(scope: Scope, program: string, job: object): Promise<Report> {
  const args = [...process.execArgv, program];
  const child = await startChild(scope, process.execPath, args, ['ignore', 'inherit', 'inherit', 'ipc']);
  child.send(job);
  const outcome = await Promise.race([
    once(child, 'message').then(([report]) => report as Report),
    once(child, 'exit').then(() => undefined),
  ]);
  if (outcome === undefined) throw new Error('the load generator ended early');
  return outcome;
}

/**
 * The other side: does the job that comes, reports, and ends.
 * @param work takes what `runTask` was given.
 */
export function respondToTask(work: (job: never) => Promise<object>): void {
  const respond = async (job: never): Promise<void> => {
    const report = await work(job);
    process.send?.(report, undefined, undefined, () => process.disconnect());
  };
  process.once('message', (job) => void respond(job as never));
  // The benchmark is gone: there is nobody to report to.
  process.once('disconnect', () => process.exit());
}

/** Milliseconds on a clock that processes of one machine share, as fine as `performance.now()`. */
export function sharedNow(): number {
  return performance.timeOrigin + performance.now();
}
