/** A body that somebody wants room for. */
export interface Waiter {
  readonly owner: string;
  readonly bytes: number;
}

interface Place extends Waiter {
  readonly enter: () => void;
}

/** Bodies that wait for room, in turn by owner: one that wants many does not make another wait for all of them. */
export class Waiters {
  private readonly lines = new Map<string, Place[]>();
  private waiting = 0;

  /** @param most of all owners; one may have an eighth of them. */
  constructor(private readonly most: number) {}

  get count(): number {
    return this.waiting;
  }

  /** Those that all of them want. */
  get bytes(): number {
    let sum = 0;
    for (const line of this.lines.values()) for (const { bytes } of line) sum += bytes;
    return sum;
  }

  /** @param deadline milliseconds. @returns false when it was not let in in time, or too many wait. */
  wait({ owner, bytes }: Waiter, deadline: number): Promise<boolean> {
    const line = this.lines.get(owner) ?? [];
    if (this.waiting >= this.most || line.length >= this.most / 8) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.remove(place);
        resolve(false);
      }, deadline);
      const enter = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const place = { owner, bytes, enter };
      line.push(place);
      this.lines.set(owner, line);
      this.waiting += 1;
    });
  }

  /** Offers room to the first of each owner in turn, for as long as somebody takes it. */
  admit(takes: (waiter: Waiter) => boolean): void {
    for (let hasEntered = true; hasEntered;) {
      hasEntered = false;
      for (const [owner, line] of [...this.lines]) {
        const [first] = line;
        if (!first || !takes(first)) continue;
        hasEntered = true;
        this.remove(first);
        // The owner goes behind the others that wait.
        if (this.lines.delete(owner) && line.length > 0) this.lines.set(owner, line);
        first.enter();
      }
    }
  }

  private remove(place: Place): void {
    const line = this.lines.get(place.owner);
    const index = line?.indexOf(place) ?? -1;
    if (!line || index === -1) return;
    line.splice(index, 1);
    this.waiting -= 1;
    if (line.length === 0) this.lines.delete(place.owner);
  }
}
