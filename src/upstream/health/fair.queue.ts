/**
 * A bounded number of places, given in turn to the repositories that wait: one that asks for a thousand layers does not
 * make another wait for all of them.
 */
export class FairQueue {
  private readonly lines = new Map<string, (() => void)[]>();
  private taken = 0;

  constructor(private readonly places: number) {}

  /** Requests that wait for a place. */
  get waiting(): number {
    return [...this.lines.values()].reduce((sum, line) => sum + line.length, 0);
  }

  /**
   * Waits for a place, for at most `deadline` milliseconds.
   * @returns gives the place back, once; undefined when none came free in time.
   */
  async enter(repository: string, deadline: number): Promise<(() => void) | undefined> {
    if (this.taken < this.places) this.taken += 1;
    // A place that is passed on stays counted as taken.
    else if (!(await this.wait(repository, deadline))) return undefined;
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.passOn();
    };
  }

  /** Resolves to whether a place was passed on in time. */
  private wait(repository: string, deadline: number): Promise<boolean> {
    return new Promise((resolve) => {
      const line = this.lines.get(repository) ?? [];
      const timer = setTimeout(() => {
        this.remove(repository, pass);
        resolve(false);
      }, deadline);
      const pass = () => {
        clearTimeout(timer);
        resolve(true);
      };
      line.push(pass);
      this.lines.set(repository, line);
    });
  }

  private passOn(): void {
    const [next] = this.lines;
    if (!next) {
      this.taken -= 1;
      return;
    }
    const [repository, line] = next;
    const pass = line.shift();
    // The repository goes behind the others that wait.
    this.lines.delete(repository);
    if (line.length > 0) this.lines.set(repository, line);
    pass?.();
  }

  private remove(repository: string, pass: () => void): void {
    const line = this.lines.get(repository)?.filter((other) => other !== pass) ?? [];
    if (line.length > 0) this.lines.set(repository, line);
    else this.lines.delete(repository);
  }
}
