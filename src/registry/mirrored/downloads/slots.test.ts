import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Slots, type Occupant } from './slots.js';

const nobody: Occupant = { owner: 'a', followers: 1, received: 0, giveWay: () => undefined };

/** Starts `count` actions that each end when their gate is opened, and records the order in which they began. */
function start(slots: Slots, count: number) {
  const begun: number[] = [];
  const gates: ((error?: Error) => void)[] = [];
  const results = Array.from({ length: count }, (_, index) =>
    slots.run(nobody, async () => {
      begun.push(index);
      await new Promise<void>((resolve, reject) => {
        gates[index] = (error) => (error ? reject(error) : resolve());
      });
      return index;
    }),
  );
  return { begun, gates, results };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('Slots', () => {
  it('lets so many run, and the others wait in the order in which they came', async () => {
    const slots = new Slots(2);
    const { begun, gates, results } = start(slots, 5);
    await settle();
    expect([begun, slots.waiting]).toEqual([[0, 1], 3]);
    gates[1]?.();
    await settle();
    expect([begun, slots.waiting]).toEqual([[0, 1, 2], 2]);
    gates[0]?.();
    gates[2]?.();
    await settle();
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    gates[3]?.();
    gates[4]?.();
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3, 4]);
    expect(slots.waiting).toBe(0);
  });

  it('gives a slot on when an action fails, and the error to whom it belongs', async () => {
    const slots = new Slots(1);
    const { gates, results } = start(slots, 2);
    await settle();
    gates[0]?.(new Error('failed'));
    await expect(results[0]).rejects.toThrow('failed');
    await settle();
    gates[1]?.();
    expect(await results[1]).toBe(1);
  });

  it('never lets more run than it has slots, whenever they come', async () => {
    const slots = new Slots(3);
    let running = 0;
    let most = 0;
    const action = async () => {
      running += 1;
      most = Math.max(most, running);
      await settle();
      running -= 1;
    };
    const come = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) await slots.run(nobody, action);
    };
    await Promise.all(Array.from({ length: 10 }, (_, index) => come(index + 1)));
    expect([most, running, slots.waiting]).toEqual([3, 0, 0]);
  });
});

describe('a download gives way', () => {
  const kibibyte = 1024;
  const mutable = (owner: string, followers: number) => ({ owner, followers, received: 0, left: false });
  type Mutable = ReturnType<typeof mutable>;

  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
  afterEach(() => vi.useRealTimers());

  /** Fills the slots, and says who has run. */
  function occupy(slots: Slots, ...occupants: Mutable[]): string[] {
    const ran: string[] = [];
    for (const occupant of occupants) {
      const giveWay = () => (occupant.left = true);
      void slots.run(Object.assign(occupant, { giveWay }), () => {
        ran.push(occupant.owner);
        return new Promise(() => undefined);
      });
    }
    return ran;
  }

  it('when it is slow and nobody follows it, whatever waits', async () => {
    const slots = new Slots(1, kibibyte);
    const slow = mutable('a', 0);
    const ran = occupy(slots, slow, mutable('a', 1));
    await vi.advanceTimersByTimeAsync(900);
    expect(slow.left).toBe(false);
    await vi.advanceTimersByTimeAsync(600);
    expect([slow.left, ran]).toEqual([true, ['a', 'a']]);
  });

  it('not when it is fast and its upstream has no more than its share', async () => {
    const slots = new Slots(1, kibibyte);
    const fast = mutable('a', 0);
    occupy(slots, fast, mutable('b', 1));
    for (let second = 0; second < 10; second += 1) {
      fast.received += 2 * kibibyte;
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(fast.left).toBe(false);
  });

  it('when nobody follows it and its upstream has more than its share, to one that has less', async () => {
    const slots = new Slots(4, kibibyte);
    const all = Array.from({ length: 4 }, () => mutable('a', 0));
    for (const each of all) each.received = 1;
    const ran = occupy(slots, ...all, mutable('b', 1), mutable('b', 1), mutable('b', 1));
    await vi.advanceTimersByTimeAsync(400);
    for (const each of all) each.received += 100 * kibibyte;
    await vi.advanceTimersByTimeAsync(200);
    expect(all.filter(({ left }) => left)).toHaveLength(2);
    expect(ran).toEqual(['a', 'a', 'a', 'a', 'b', 'b']);
  });

  it('with followers only after a slow minute, or before its first byte', async () => {
    const slots = new Slots(4, kibibyte);
    const [silent, dripping, ...fast] = Array.from({ length: 4 }, () => mutable('a', 1));
    occupy(slots, silent!, dripping!, ...fast, mutable('b', 1), mutable('b', 1));
    for (const each of [dripping!, ...fast]) each.received = 1;
    await vi.advanceTimersByTimeAsync(1_600);
    expect([silent!.left, dripping!.left]).toEqual([true, false]);
    for (let second = 0; second < 59; second += 1) {
      for (const each of fast) each.received += 2 * kibibyte;
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect([dripping!.left, ...fast.map(({ left }) => left)]).toEqual([true, false, false]);
  });

  it('and its slot passes on once, also when it ends later', async () => {
    const slots = new Slots(1, kibibyte);
    let end: () => void = () => undefined;
    const slow = { owner: 'a', followers: 0, received: 0, giveWay: () => undefined };
    const running = slots.run(slow, () => new Promise<void>((resolve) => (end = resolve)));
    const ran = occupy(slots, mutable('b', 1), mutable('b', 1));
    await vi.advanceTimersByTimeAsync(1_500);
    end();
    await running;
    expect([ran, slots.waiting]).toEqual([['b'], 1]);
  });
});
