import cluster from 'node:cluster';

/** Set by the supervisor for each worker. Node's own number of a worker grows with every restart. */
export const workerVariable = 'OCI_REGISTRY_WORKER';

/** Which of several workers this process is, from 1; undefined in a process that nobody supervises. */
export function workerPlace(): number | undefined {
  const place = Number(process.env[workerVariable]);
  return cluster.isWorker && place > 0 ? place : undefined;
}
