/** A signal that the supervisor passes on to a worker. */
export interface WorkerMessage {
  readonly signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP';
}

/** Sent by a worker when it begins to accept messages. */
export const readyMessage = { isReady: true };
