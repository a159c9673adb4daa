import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SystemClock, type Clock } from '../clock/clock.js';

/** Milliseconds without a change after which a file counts as written to its end. */
export const restTime = 250;
/** Milliseconds that somebody who needs the new content waits for that. */
export const restPatience = 2_000;

/** Tells whether a file is being written: half of a password is a valid password, and half a list a valid list. */
export class FileRest {
  private mark = '';
  private ino = 0n;
  /** When this version was first seen, monotonic, and when it was last looked at, by the wall clock. */
  private since = 0;
  private lookedAt = -Infinity;

  constructor(
    private readonly path: string,
    private readonly clock: Clock = new SystemClock(),
  ) {}

  /** A file that cannot be looked at rests, so that its reader reports why. Never rejects. */
  async isResting(): Promise<boolean> {
    const stats = await stat(this.path, { bigint: true }).catch(() => undefined);
    if (!stats) return true;
    const { mtimeNs, ctimeNs, size, ino, dev } = stats;
    const [monotonic, wall, writtenAt] = [this.clock.monotonic(), this.clock.now(), Number(mtimeNs / 1_000_000n)];
    const mark = `${mtimeNs} ${ctimeNs} ${size} ${ino} ${dev}`;
    const [isSame, isReplaced, lookedAt] = [mark === this.mark, ino !== this.ino, this.lookedAt];
    if (!isSame) this.since = monotonic;
    [this.mark, this.ino, this.lookedAt] = [mark, ino, wall];
    if (isSame && monotonic - this.since >= restTime) return true;
    // The clock of a file system may be behind: what was written since the last look cannot be older than that.
    const isPlausible = isReplaced || isSame || writtenAt >= lookedAt;
    return isPlausible && !isSame && wall - writtenAt >= restTime;
  }

  /** Waits until it rests. @returns whether it does */
  async wait(): Promise<boolean> {
    const deadline = performance.now() + restPatience;
    while (!(await this.isResting())) {
      if (performance.now() >= deadline) return false;
      await sleep(restTime / 5, undefined, { ref: false });
    }
    return true;
  }
}
