import type { SupervisorMessage, WorkerRequest } from '../worker.messages.js';

/** A worker, as far as it reads its files again. */
export interface ReloadingWorker {
  readonly id: number;
  isConnected(): boolean;
  send(message: SupervisorMessage): unknown;
}

interface Round {
  readonly missing: Set<ReloadingWorker>;
  count: number;
  readonly end: (count: number) => void;
}

/** Reloads that one worker was asked for and that the supervisor has the others do. */
export class ReloadRounds {
  private readonly rounds = new Map<string, Round>();

  /** @param others the workers besides the one that sent the request */
  receive(request: WorkerRequest, from: ReloadingWorker, others: readonly ReloadingWorker[]): void {
    if ('hasReloaded' in request) this.finish(request.hasReloaded, from, true);
    else this.start(request.wantsReload, from, others);
  }

  /** A worker has ended: nobody waits for it. */
  leave(worker: ReloadingWorker): void {
    for (const key of [...this.rounds.keys()]) this.finish(key, worker, false);
  }

  private start(id: number, from: ReloadingWorker, others: readonly ReloadingWorker[]): void {
    const connected = others.filter((worker) => worker !== from && worker.isConnected());
    const end = (count: number) => {
      if (from.isConnected()) from.send({ reloaded: id, count });
    };
    if (connected.length === 0) {
      end(0);
      return;
    }
    const key = `${from.id} ${id}`;
    this.rounds.set(key, { missing: new Set(connected), count: 0, end });
    for (const worker of connected) worker.send({ reload: key });
  }

  private finish(key: string, worker: ReloadingWorker, hasReloaded: boolean): void {
    const round = this.rounds.get(key);
    if (round?.missing.delete(worker) !== true) return;
    if (hasReloaded) round.count += 1;
    if (round.missing.size > 0) return;
    this.rounds.delete(key);
    round.end(round.count);
  }
}
