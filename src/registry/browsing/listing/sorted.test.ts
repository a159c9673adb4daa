import { describe, expect, it } from 'vitest';
import { byText, placeOf, sorted } from './sorted.js';
import { Turns } from './turns.js';

const turns = new Turns();
const names = (count: number) => Array.from({ length: count }, (_, at) => `name-${(at * 7919) % count}`);

describe('sorting in slices', () => {
  it.each([0, 1, 2, 499, 500, 501, 1_500, 20_001])(
    'has %d items in the order that sorting at once gives them',
    async (count) => {
      const items = names(count);
      expect(await sorted(items, byText, await turns.begin())).toEqual([...items].sort());
    },
  );

  it('keeps items that compare as equal in their order', async () => {
    const items = names(3_000).map((name, at) => ({ name: name.slice(0, 6), at }));
    const compare = (one: (typeof items)[0], other: (typeof items)[0]) => byText(one.name, other.name);
    expect(await sorted(items, compare, await turns.begin())).toEqual(items.toSorted(compare));
  });

  it('lets others have their turn meanwhile, however many sort', async () => {
    let others = 0;
    const other = setInterval(() => (others += 1), 1);
    await Promise.all(Array.from({ length: 5 }, async () => sorted(names(20_000), byText, await turns.begin())));
    clearInterval(other);
    expect(others).toBeGreaterThan(5);
  });

  it('finds the place of an item', () => {
    expect([0, 1, 2, 3, 4].map((wanted) => placeOf([1, 3], (item) => item >= wanted))).toEqual([0, 0, 1, 1, 2]);
  });
});
