import { describe, expect, it } from 'vitest';
import { Slots } from './slots.js';

/** A task that ends when it is told to. */
function task() {
  let end!: () => void;
  let hasBegun = false;
  const done = new Promise<void>((resolve) => (end = resolve));
  const run = () => {
    hasBegun = true;
    return done;
  };
  return { run, end, hasBegun: () => hasBegun };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('slots', () => {
  it('run so many at once, in order, and refuse more than may wait', async () => {
    const slots = new Slots(1, 1);
    const [first, second] = [task(), task()];
    const running = [slots.run(first.run), slots.run(second.run)];
    await expect(slots.run(task().run)).rejects.toMatchObject({ reason: 'busy', retryAfter: 1 });
    await turn();
    expect([first.hasBegun(), second.hasBegun()]).toEqual([true, false]);
    first.end();
    await turn();
    expect(second.hasBegun()).toBe(true);
    second.end();
    await Promise.all(running);
    await slots.run(() => Promise.resolve());
  });

  it('let go of whoever waits until its deadline, and of nobody else', async () => {
    const slots = new Slots(1, 2);
    const [first, late, next] = [task(), task(), task()];
    const deadline = new AbortController();
    const running = slots.run(first.run);
    const refused = expect(slots.run(late.run, deadline.signal)).rejects.toThrow('too late');
    const waiting = slots.run(next.run);
    deadline.abort(new Error('too late'));
    await refused;
    first.end();
    next.end();
    await Promise.all([running, waiting]);
    expect([late.hasBegun(), next.hasBegun()]).toEqual([false, true]);
  });

  it('are free again after a failure', async () => {
    const slots = new Slots(1, 0);
    await expect(slots.run(() => Promise.reject(new Error('x')))).rejects.toThrow('x');
    await slots.run(() => Promise.resolve());
  });
});
