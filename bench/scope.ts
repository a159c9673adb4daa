type Release = () => Promise<void> | void;

/** What was started and must be stopped: releases run once, the latest first, when the scope or its parent closes. */
export class Scope {
  readonly #releases = new Set<Release>();
  #closing: Promise<void> | undefined;

  /** Whether it has begun to close. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Registers a release; a scope that is already closing runs it at once and throws, so that nothing is left behind. */
  async defer(release: Release): Promise<void> {
    if (!this.isClosing) {
      this.#releases.add(release);
      return;
    }
    await release();
    throw new Error('the benchmark is stopping');
  }

  /** Runs work in an inner scope that closes with the work, or with this scope if that comes first. */
  async within<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    const inner = new Scope();
    const release = (): Promise<void> => inner.close();
    await this.defer(release);
    try {
      return await work(inner);
    } finally {
      await inner.close();
      this.#releases.delete(release);
    }
  }

  /** Never rejects: a release that fails is reported and the others still run. */
  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async #release(): Promise<void> {
    for (const release of [...this.#releases].reverse()) {
      try {
        await release();
      } catch (error) {
        console.error('could not clean up:', error);
      }
    }
  }
}
