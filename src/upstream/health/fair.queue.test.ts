import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FairQueue } from './fair.queue.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const patience = 20_000;

/** Asks for a place; the name is noted when it is had. */
function ask(queue: FairQueue, repository: string, served: string[], deadline = patience) {
  return queue.enter(repository, deadline).then((release) => {
    if (release) served.push(repository);
    return release;
  });
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

describe('a fair queue', () => {
  it('grants its slots at once, and no more', async () => {
    const queue = new FairQueue(3);
    const served: string[] = [];
    for (let count = 0; count < 5; count += 1) void ask(queue, 'app', served);
    await settle();
    expect([served.length, queue.waiting]).toEqual([3, 2]);
  });

  it('serves repositories round-robin, however many slots one of them requests', async () => {
    const queue = new FairQueue(1);
    const served: string[] = [];
    const holder = await queue.enter('first', patience);
    const asked = [...Array<string>(100).fill('greedy'), 'modest', 'modest', 'shy'];
    const waiting = asked.map((repository) => ask(queue, repository, served));
    holder?.();
    for (const place of waiting) {
      void place.then(async (release) => {
        await Promise.resolve();
        release?.();
      });
    }
    await settle();
    expect(served.slice(0, 5)).toEqual(['greedy', 'modest', 'shy', 'greedy', 'modest']);
    expect([served.length, queue.waiting]).toEqual([103, 0]);
  });

  it('serves the requests of one repository in order of arrival', async () => {
    const queue = new FairQueue(1);
    const holder = await queue.enter('app', patience);
    const order: number[] = [];
    for (let count = 0; count < 5; count += 1) {
      void queue.enter('app', patience).then((release) => {
        order.push(count);
        release?.();
      });
    }
    holder?.();
    await settle();
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it('lets no request wait beyond its deadline, and grants no slot to expired ones', async () => {
    const queue = new FairQueue(1);
    const served: string[] = [];
    const holder = await queue.enter('app', patience);
    const late = ask(queue, 'late', served, 1_000);
    const patient = ask(queue, 'patient', served, 2_000);
    await vi.advanceTimersByTimeAsync(999);
    expect(queue.waiting).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect([await late, queue.waiting]).toEqual([undefined, 1]);
    holder?.();
    expect(await patient).toBeTypeOf('function');
    expect(served).toEqual(['patient']);
    await vi.advanceTimersByTimeAsync(patience);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('releases a slot once, however often it is called', async () => {
    const queue = new FairQueue(1);
    const served: string[] = [];
    const holder = await queue.enter('app', patience);
    void ask(queue, 'app', served);
    void ask(queue, 'app', served);
    holder?.();
    holder?.();
    await settle();
    expect([served.length, queue.waiting]).toEqual([1, 1]);
  });

  it('has all its slots again after a thousand requests that waited, expired or left', async () => {
    const queue = new FairQueue(4);
    let held = 0;
    let most = 0;
    const visits = Array.from({ length: 1_000 }, async (_, count) => {
      const release = await queue.enter(`app-${count % 7}`, 50 + (count % 100));
      if (!release) return false;
      held += 1;
      most = Math.max(most, held);
      await new Promise((resolve) => setTimeout(resolve, count % 5));
      held -= 1;
      release();
      return true;
    });
    await vi.runAllTimersAsync();
    const done = await Promise.all(visits);
    expect(new Set(done)).toEqual(new Set([true, false]));
    expect([most, held, queue.waiting]).toEqual([4, 0, 0]);
    const served: string[] = [];
    for (let count = 0; count < 5; count += 1) void ask(queue, 'app', served);
    await settle();
    expect([served.length, queue.waiting]).toEqual([4, 1]);
  });
});
