import { SignInRefused } from '../sign-in.js';

/** Hashes that may wait, in each of the two lines: those of one network, and of all. */
const maxWaiting = { network: 8, total: 64 };
/** Longest wait in milliseconds: clients give up soon after. */
const longestWait = 10_000;

interface Waiting {
  readonly network: string;
  readonly start: () => void;
  readonly refuse: () => void;
}

/**
 * Turns at the one thread for hashes: preferred ones first, and of each kind round-robin over networks, so that nobody
 * waits for more than one hash of each other network.
 */
export class HashQueue {
  private readonly preferred = new Line();
  private readonly others = new Line();
  private isBusy = false;

  /** @throws SignInRefused `busy` without having begun the task */
  async run<T>(network: string, isPreferred: boolean, task: () => Promise<T>): Promise<T> {
    if (this.isBusy) await this.wait(network, isPreferred ? this.preferred : this.others);
    this.isBusy = true;
    try {
      return await task();
    } finally {
      // The thread stays busy when it is handed over.
      const next = this.preferred.shift() ?? this.others.shift();
      if (next) next.start();
      else this.isBusy = false;
    }
  }

  private wait(network: string, line: Line): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = () => {
        clearTimeout(timer);
        reject(new SignInRefused('busy', 1));
      };
      const start = () => {
        clearTimeout(timer);
        resolve();
      };
      const waiting = { network, start, refuse };
      const timer = setTimeout(() => {
        line.remove(waiting);
        refuse();
      }, longestWait);
      line.add(waiting);
    });
  }
}

class Line {
  /** In the order of their turns. */
  private readonly networks = new Map<string, Waiting[]>();
  private size = 0;

  /** When too many wait, the newest of the network with most of them is refused. */
  add(waiting: Waiting): void {
    const own = this.networks.get(waiting.network) ?? [];
    if (own.length >= maxWaiting.network) {
      waiting.refuse();
      return;
    }
    own.push(waiting);
    this.networks.set(waiting.network, own);
    this.size += 1;
    if (this.size <= maxWaiting.total) return;
    const most = [...this.networks.values()].reduce((one, other) => (other.length >= one.length ? other : one));
    const newest = most.at(-1);
    if (newest && this.remove(newest)) newest.refuse();
  }

  /** The network moves behind the others that wait. */
  shift(): Waiting | undefined {
    const [queue] = this.networks.values();
    const next = queue?.[0];
    if (!queue || !next) return undefined;
    this.remove(next);
    if (queue.length === 0) return next;
    this.networks.delete(next.network);
    this.networks.set(next.network, queue);
    return next;
  }

  /** @returns whether it was waiting */
  remove(waiting: Waiting): boolean {
    const queue = this.networks.get(waiting.network) ?? [];
    const index = queue.indexOf(waiting);
    if (index === -1) return false;
    queue.splice(index, 1);
    this.size -= 1;
    if (queue.length === 0) this.networks.delete(waiting.network);
    return true;
  }
}
