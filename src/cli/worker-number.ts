import cluster from 'node:cluster';

/** Set by the supervisor for each worker, because Node's own worker number grows with every restart. */
export const workerVariable = 'OCI_REGISTRY_WORKER';

/** Process id of the supervisor, which the supervisor sets for each worker. */
export const supervisorVariable = 'OCI_REGISTRY_SUPERVISOR';

/** Number of this worker, from 1; undefined in an unsupervised process. */
export function workerNumber(): number | undefined {
  const number = Number(process.env[workerVariable]);
  return cluster.isWorker && number > 0 ? number : undefined;
}

/** Process id of the supervisor of this worker. */
export function supervisorId(): number {
  return Number(process.env[supervisorVariable]);
}
