import type { Turn } from './turns.js';

/** Items that are sorted, or merged, without a look at the clock. */
const run = 500;

export type Compare<T> = (one: T, other: T) => number;

/** Sorts in slices: 100,000 items at once would stop everything else for a tenth of a second. */
export async function sorted<T>(items: readonly T[], compare: Compare<T>, turn: Turn): Promise<T[]> {
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += run) {
    if (turn.isOver) await turn.pause();
    runs.push(items.slice(at, at + run).sort(compare));
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      const [one = [], other] = [runs[at], runs[at + 1]];
      merged.push(other ? await merge(one, other, compare, turn) : one);
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge<T>(one: readonly T[], other: readonly T[], compare: Compare<T>, turn: Turn): Promise<T[]> {
  const result: T[] = [];
  let [a, b] = [0, 0];
  while (a < one.length && b < other.length) {
    if (result.length % run === 0 && turn.isOver) await turn.pause();
    const [x, y] = [one[a] as T, other[b] as T];
    if (compare(x, y) <= 0) {
      result.push(x);
      a += 1;
    } else {
      result.push(y);
      b += 1;
    }
  }
  for (const rest of [one.slice(a), other.slice(b)]) for (const item of rest) result.push(item);
  return result;
}

/** The place of the first item for which the test holds; it does for all behind it. */
export function placeOf<T>(items: readonly T[], isBehind: (item: T) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBehind(items[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** In the order of characters, as lists of the distribution specification are. */
export function byText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
