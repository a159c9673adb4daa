/** A signal that the supervisor passes on to a worker. */
export interface WorkerMessage {
  readonly signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP';
}

/** What the supervisor tells a worker: a signal, to read its files again, or how many others have done so. */
export type SupervisorMessage =
  WorkerMessage | { readonly reload: string } | { readonly reloaded: number; readonly count: number };

/** What a worker wants of its supervisor: that the others read their files again; or that it has done so. */
export type WorkerRequest = { readonly wantsReload: number } | { readonly hasReloaded: string };

/** Sent by a worker when it begins to accept messages. */
export const readyMessage = { isReady: true };
