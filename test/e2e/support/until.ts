import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for a condition. @param deadline milliseconds, after which waiting for it is an error */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadline = 20_000,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${deadline} ms in vain until ${what}`);
    await sleep(10);
  }
}
