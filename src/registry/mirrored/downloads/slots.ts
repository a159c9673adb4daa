/** What occupies a slot, or waits for one. */
export interface Occupant {
  /** The upstream. */
  readonly owner: string;
  /** Clients that want it. */
  readonly followers: number;
  /** Bytes so far. */
  readonly received: number;
  /** Ends it early. Its slot passes on at once. */
  giveWay(): void;
}

interface Running {
  readonly occupant: Occupant;
  /** Bytes and time at which its rate was last measured, over a short time and a long one. */
  short: Mark;
  long: Mark;
  hasLeft: boolean;
}

interface Mark {
  readonly received: number;
  readonly at: number;
}

/** Milliseconds over which the rate of a download without followers or without a byte, and of others, is measured. */
const shortTime = 1_000;
const longTime = 60_000;
/** Milliseconds between two looks at what runs while something waits. */
const lookInterval = 500;

/**
 * Runs a bounded number of downloads concurrently. Those that wait get slots by turns of their upstreams, and meanwhile
 * running ones give way: a slow one without followers always; to an upstream below its share of the slots also one of an
 * upstream above its share that has no followers, no byte yet, or has been slow for a minute.
 */
export class Slots {
  private readonly queues = new Map<string, (() => void)[]>();
  private readonly running = new Set<Running>();
  private queued = 0;
  private taken = 0;
  private watch: NodeJS.Timeout | undefined;

  /** @param slowest bytes per second of a download that is not slow. */
  constructor(
    private readonly count: number,
    private readonly slowest = 0,
  ) {}

  get waiting(): number {
    return this.queued;
  }

  waitingOf(owner: string): number {
    return this.queues.get(owner)?.length ?? 0;
  }

  /** Lets a slow download of an upstream without followers give way, when another one waits for its connection. */
  yieldSlow(owner: string): void {
    const now = performance.now();
    const isSpare = (running: Running) =>
      running.occupant.owner === owner && running.occupant.followers === 0 && this.isSlow(running, now);
    const spare = [...this.running].find(isSpare);
    if (!spare) return;
    spare.occupant.giveWay();
    this.leave(spare);
  }

  async run<T>(occupant: Occupant, action: () => Promise<T>): Promise<T> {
    if (this.taken === this.count) await this.wait(occupant.owner);
    else this.taken += 1;
    const mark = { received: occupant.received, at: performance.now() };
    const running = { occupant, short: mark, long: mark, hasLeft: false };
    this.running.add(running);
    try {
      return await action();
    } finally {
      this.leave(running);
    }
  }

  private wait(owner: string): Promise<void> {
    return new Promise((resolve) => {
      const queue = this.queues.get(owner) ?? [];
      queue.push(resolve);
      this.queues.set(owner, queue);
      this.queued += 1;
      this.watch ??= setInterval(() => this.reclaim(), lookInterval).unref();
      this.reclaim();
    });
  }

  private leave(running: Running): void {
    if (running.hasLeft) return;
    running.hasLeft = true;
    this.running.delete(running);
    const [next] = this.queues;
    if (!next) {
      this.taken -= 1;
      return;
    }
    // The slot passes to the next in the queue without becoming free in between, and its upstream goes to the end.
    const [owner, queue] = next;
    const enter = queue.shift();
    this.queued -= 1;
    this.queues.delete(owner);
    if (queue.length > 0) this.queues.set(owner, queue);
    enter?.();
  }

  /** Lets running downloads give way to those that wait: one for each upstream, at one look. */
  private reclaim(): void {
    if (this.queued === 0) {
      clearInterval(this.watch);
      this.watch = undefined;
      return;
    }
    const held = this.heldByOwner();
    const share = Math.max(1, Math.floor(this.count / new Set([...held.keys(), ...this.queues.keys()]).size));
    const now = performance.now();
    const slow = new Map([...this.running].map((running) => [running, this.isSlow(running, now)]));
    for (const owner of [...this.queues.keys()]) {
      const isBelow = (held.get(owner) ?? 0) < share;
      const victim = this.victimOf((running) => isBelow && (held.get(running.occupant.owner) ?? 0) > share, slow);
      if (!victim) continue;
      held.set(victim.occupant.owner, (held.get(victim.occupant.owner) ?? 1) - 1);
      victim.occupant.giveWay();
      this.leave(victim);
    }
  }

  /** Downloads without followers come first. */
  private victimOf(isAbove: (running: Running) => boolean, slow: ReadonlyMap<Running, boolean>): Running | undefined {
    const all = [...this.running];
    const isUnfollowed = ({ occupant }: Running) => occupant.followers === 0;
    return (
      all.find((running) => isUnfollowed(running) && slow.get(running) === true) ??
      all.find((running) => isUnfollowed(running) && isAbove(running)) ??
      all.find((running) => isAbove(running) && slow.get(running) === true)
    );
  }

  private heldByOwner(): Map<string, number> {
    const held = new Map<string, number>();
    for (const { occupant } of this.running) held.set(occupant.owner, (held.get(occupant.owner) ?? 0) + 1);
    return held;
  }

  private isSlow(running: Running, now: number): boolean {
    const { followers, received } = running.occupant;
    // Before the first byte the upstream has not even responded.
    const span = followers === 0 || received === 0 ? 'short' : 'long';
    const { at, received: before } = running[span];
    const elapsed = now - at;
    if (elapsed < (span === 'short' ? shortTime : longTime)) return false;
    const isSlow = ((received - before) * 1000) / elapsed < this.slowest;
    if (!isSlow) running[span] = { received, at: now };
    return isSlow;
  }
}
