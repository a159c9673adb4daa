import { describe, expect, it } from 'vitest';
import { Slots } from './slots.js';

/** Starts `count` actions that each end when their gate is opened, and records the order in which they began. */
function start(slots: Slots, count: number) {
  const begun: number[] = [];
  const gates: ((error?: Error) => void)[] = [];
  const results = Array.from({ length: count }, (_, index) =>
    slots.run(async () => {
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
      for (let round = 0; round < rounds; round += 1) await slots.run(action);
    };
    await Promise.all(Array.from({ length: 10 }, (_, index) => come(index + 1)));
    expect([most, running, slots.waiting]).toEqual([3, 0, 0]);
  });
});
