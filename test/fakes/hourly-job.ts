import { vi } from 'vitest';
import type { HandClock } from './hand-clock.js';

interface Job {
  onApplicationBootstrap(): void;
  onApplicationShutdown(): Promise<void>;
}

/**
 * Starts a job that does its work each hour, and sets the time of day by so many seconds in between. Vitest's timers have
 * to be fake. @returns how often the work was done: before that, when a day has passed, and two hours later
 */
export async function timesAroundJump(
  job: Job,
  { clock, seconds, times }: { clock: HandClock; seconds: number; times: () => number },
): Promise<number[]> {
  const pass = async (hours: number) => {
    for (let count = 0; count < hours; count += 1) {
      clock.pass(3_600);
      await vi.advanceTimersByTimeAsync(3_600_000);
    }
    return times();
  };
  job.onApplicationBootstrap();
  const before = await pass(2);
  clock.jump(seconds);
  const counts = [before, await pass(24), await pass(2)];
  await job.onApplicationShutdown();
  return counts;
}
