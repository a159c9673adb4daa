import cluster from 'node:cluster';

/** Milliseconds between two looks. */
const lookInterval = 1_000;

/**
 * Ends this worker at once when its supervisor is gone, since nobody would ever tell it to stop. Node itself lets such a
 * worker exit, but exiting waits for the reader of the log, and it does not end one that has closed its channel already.
 * @param supervisor process id of the parent
 */
export function endWithSupervisor(supervisor: number): void {
  // Stored content survives a kill at any moment.
  const end = () => process.kill(process.pid, 'SIGKILL');
  const look = () => {
    if (process.ppid !== supervisor) end();
  };
  look();
  setInterval(look, lookInterval).unref();
  process.prependListener('disconnect', () => {
    if (cluster.worker?.exitedAfterDisconnect !== true) end();
  });
}
