import cluster from 'node:cluster';

/** Set by the supervisor for each worker, because Node's own worker number grows with every restart. */
export const workerVariable = 'OCI_REGISTRY_WORKER';

/** Number of this worker, from 1; undefined in an unsupervised process. */
export function workerNumber(): number | undefined {
  const number = Number(process.env[workerVariable]);
  return cluster.isWorker && number > 0 ? number : undefined;
}
