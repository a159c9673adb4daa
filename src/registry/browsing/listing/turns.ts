import { performance } from 'node:perf_hooks';

/** Milliseconds of work between two pauses. */
const slice = 5;

/** Lets long work for pages go on in slices, of all of it together one at a time in each turn of the event loop. */
export class Turns {
  private last: Promise<void> = Promise.resolve();

  /** Waits for the first slice. */
  async begin(): Promise<Turn> {
    await this.next();
    return new Turn(this);
  }

  /** Resolves in a turn of the event loop in which it does for nobody else. */
  next(): Promise<void> {
    this.last = this.last.then(() => new Promise((resolve) => setImmediate(resolve)));
    return this.last;
  }
}

/** Work in slices. */
export class Turn {
  private since = performance.now();

  constructor(private readonly turns: Turns) {}

  /** Whether the slice is over. Costs little enough for each small step. */
  get isOver(): boolean {
    return performance.now() - this.since >= slice;
  }

  /** To be awaited when the slice is over. */
  async pause(): Promise<void> {
    await this.turns.next();
    this.since = performance.now();
  }
}
