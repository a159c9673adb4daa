import { setTimeout as sleep } from 'node:timers/promises';
import type { SupervisorMessage, WorkerRequest } from '../worker.messages.js';

/** Milliseconds to wait until the other workers have read their files. */
const patience = 15_000;

/** Lets one worker have the others read their files again, by way of the supervisor. */
export class WorkerReloads {
  private action: () => Promise<unknown> = () => Promise.resolve();
  private readonly waiting = new Map<number, (count: number) => void>();
  private last = 0;

  /** @param send to the supervisor */
  constructor(private readonly send: (request: WorkerRequest) => void) {}

  /** @param action reads the files of this worker; never rejects. */
  perform(action: () => Promise<unknown>): void {
    this.action = action;
  }

  /** Resolves with the number of other workers that have read their files again. */
  async reloadOthers(): Promise<number> {
    const id = (this.last += 1);
    const counted = new Promise<number>((resolve) => this.waiting.set(id, resolve));
    const stopped = new AbortController();
    const late = sleep(patience, 0, { ref: false, signal: stopped.signal }).catch(() => 0);
    this.send({ wantsReload: id });
    const count = await Promise.race([counted, late]);
    stopped.abort();
    this.waiting.delete(id);
    return count;
  }

  /** @param message of the supervisor */
  receive(message: Exclude<SupervisorMessage, { readonly signal: string }>): void {
    if ('reloaded' in message) this.waiting.get(message.reloaded)?.(message.count);
    else void this.action().finally(() => this.send({ hasReloaded: message.reload }));
  }
}
