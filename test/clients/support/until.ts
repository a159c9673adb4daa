import { setTimeout as delay } from 'node:timers/promises';

/** Waits until a condition holds; what it throws is thrown, and not holding within the deadline (ms) is an error. */
export async function until(what: string, holds: () => Promise<boolean>, deadline = 30_000): Promise<void> {
  const end = Date.now() + deadline;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${deadline} ms, and it is not so: ${what}`);
    await delay(50);
  }
}
