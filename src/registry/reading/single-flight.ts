/** Runs one action per key at a time. Callers that arrive while it runs share its result or its error. */
export class SingleFlight<T> {
  private readonly running = new Map<string, Promise<T>>();

  get size(): number {
    return this.running.size;
  }

  /** The action that is running for the key. */
  find(key: string): Promise<T> | undefined {
    return this.running.get(key);
  }

  run(key: string, action: () => Promise<T>): Promise<T> {
    const running = this.running.get(key);
    if (running) return running;
    const started = action().finally(() => this.running.delete(key));
    this.running.set(key, started);
    return started;
  }
}
