/** Milliseconds before the first repetition, and the longest. */
const first = 500;
const longest = 300_000;

/** Milliseconds before the next attempt: doubled each time, with jitter, so that not all come at the same moment. */
export function delayAfter(attempts: number, random = Math.random()): number {
  const delay = Math.min(longest, first * 2 ** Math.min(attempts - 1, 20));
  return delay * (0.5 + random / 2);
}
