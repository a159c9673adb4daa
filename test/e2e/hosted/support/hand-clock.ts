import { vi } from 'vitest';
import { SystemClock } from '../../../../src/config/clock/clock.js';
import { MemoryProvider } from '../../../../src/storage/providers/memory/memory.provider.js';

const day = 86_400_000;

/** Time passes by hand for this process, and with it for a storage in memory. Timers run as ever. */
export class HandClock extends SystemClock implements Disposable {
  private ahead = 0;

  constructor() {
    super();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  }

  pass(days: number): void {
    this.ahead += days * day;
    vi.setSystemTime(Date.now() + days * day);
  }

  override monotonic(): number {
    return performance.now() + this.ahead;
  }

  [Symbol.dispose](): void {
    vi.useRealTimers();
  }
}

/** A storage in memory that outlives the servers on it. */
export class SharedMemory extends MemoryProvider {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}
