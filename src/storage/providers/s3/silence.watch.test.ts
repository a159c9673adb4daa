import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SilenceWatch } from './silence.watch.js';

const never = new Promise<never>(() => undefined);

/** A watch with a limit of 2 s, and what it has done. */
function watchOf() {
  const done: string[] = [];
  const watch: SilenceWatch = new SilenceWatch(
    2_000,
    () => done.push('ask'),
    (since) => {
      done.push(`silent since ${Math.round(since - start)}`);
      watch.fail(new Error('silent'));
    },
  );
  watch.arm();
  return { watch, done };
}

let start: number;

beforeEach(() => {
  vi.useFakeTimers();
  start = performance.now();
});
afterEach(() => vi.useRealTimers());

describe('SilenceWatch', () => {
  it('asks before it is sure, and ends all waiting requests after 2 s', async () => {
    const { watch, done } = watchOf();
    const stopped: string[] = [];
    const waiting = ['one', 'other'].map((name) => watch.wait(never, () => stopped.push(name)));
    const settled = Promise.allSettled(waiting);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(done).toEqual(['ask']);
    await vi.advanceTimersByTimeAsync(1);
    expect([done, stopped]).toEqual([
      ['ask', 'silent since 0'],
      ['one', 'other'],
    ]);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('is content with any response, however long one request takes', async () => {
    const { watch, done } = watchOf();
    void watch.wait(never, () => undefined);
    for (let second = 0; second < 60; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      watch.hear();
    }
    expect(done.filter((text) => text !== 'ask')).toEqual([]);
  });

  it('does not count time in which nobody waits, nor what began late', async () => {
    const { watch, done } = watchOf();
    await watch.wait(Promise.resolve(), () => undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    const settled = Promise.allSettled([watch.wait(never, () => undefined)]);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(done).toEqual(['ask']);
    await vi.advanceTimersByTimeAsync(401);
    expect(done).toEqual(['ask', 'silent since 60000']);
    await settled;
  });

  it('does not blame the bucket when this process was stopped', async () => {
    const { watch, done } = watchOf();
    const settled = Promise.allSettled([watch.wait(never, () => undefined)]);
    // One look is late by an hour; the response is handled after it.
    vi.setSystemTime(Date.now() + 3_600_000);
    await vi.advanceTimersByTimeAsync(400);
    expect(done).toEqual([]);
    watch.hear();
    await vi.advanceTimersByTimeAsync(400);
    expect(done).toEqual([]);
    watch.fail(new Error('the end'));
    await settled;
  });

  it('is patient with a bucket that has been slow, until a response is fast', async () => {
    const { watch, done } = watchOf();
    watch.allow(3_000);
    const slow = Promise.allSettled([watch.wait(never, () => undefined)]);
    await vi.advanceTimersByTimeAsync(5_900);
    expect(done).toEqual(['ask']);
    await vi.advanceTimersByTimeAsync(100);
    expect(done).toEqual(['ask', 'silent since 0']);
    await slow;
    await watch.wait(Promise.resolve(), () => undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    const fast = Promise.allSettled([watch.wait(never, () => undefined)]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(done.slice(2)).toEqual(['ask', 'silent since 66000']);
    await fast;
  });

  it('does not watch before it is armed, nor after it is closed', async () => {
    const { watch, done } = watchOf();
    watch.close();
    void watch.wait(never, () => undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(done).toEqual([]);
  });
});
