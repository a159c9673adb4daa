import { performance } from 'node:perf_hooks';
import { afterEach, expect, it, vi } from 'vitest';
import { Fresh } from './fresh.js';

afterEach(() => vi.restoreAllMocks());

it('is made once for all who want it at the same time, and anew later', async () => {
  let made = 0;
  const list = new Fresh(() => Promise.resolve((made += 1)));
  expect(await Promise.all([list.get(), list.get(), list.get()])).toEqual([1, 1, 1]);
  await vi.waitFor(async () => expect(await list.get()).toBe(2), 10_000);
});

it('is the older one when making it fails, and an error only without one', async () => {
  let isFailing = true;
  const list = new Fresh(() => (isFailing ? Promise.reject(new Error('planned')) : Promise.resolve('made')));
  await expect(list.get()).rejects.toThrow('planned');
  isFailing = false;
  expect(await list.get()).toBe('made');
  isFailing = true;
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(await list.get()).toBe('made');
});

it('is not there yet while making it takes long', async () => {
  let end: (value: string) => void = () => undefined;
  const list = new Fresh(() => new Promise<string>((resolve) => (end = resolve)));
  expect(await list.get()).toBeUndefined();
  end('made');
  await list.settled();
  expect(await list.get()).toBe('made');
});

it('is the older one at once while a new one is made that takes long', async () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const ends: ((value: string) => void)[] = [];
  const list = new Fresh(() => new Promise<string>((resolve) => ends.push(resolve)));
  const first = list.get();
  now = 5_000;
  ends[0]?.('first');
  expect(await first).toBe('first');
  now = 5_000 + 100_001;
  const waited = vi.fn();
  const later = setTimeout(waited, 1_000);
  expect(await list.get()).toBe('first');
  expect(waited).not.toHaveBeenCalled();
  clearTimeout(later);
  ends[1]?.('second');
  await list.settled();
  expect(await list.get()).toBe('second');
});
