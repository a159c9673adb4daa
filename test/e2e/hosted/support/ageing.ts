import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Clock } from '../../../../src/config/clock/clock.js';

/** The real time, some hours later each time a test says so. */
export class LaterClock extends Clock {
  private ahead = 0;

  /** @param hours that pass. */
  pass(hours: number): void {
    this.ahead += hours * 3_600_000;
  }

  now(): number {
    return Date.now() + this.ahead;
  }

  monotonic(): number {
    return performance.now() + this.ahead;
  }
}

/** Makes files below a folder older by so many hours. */
export async function ageBy(folder: string, hours: number): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const then = new Date((await stat(path)).mtimeMs - hours * 3_600_000);
    await utimes(path, then, then);
  }
}
