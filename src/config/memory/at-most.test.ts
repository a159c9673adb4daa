import { LRUCache } from 'lru-cache';
import { expect, test } from 'vitest';
import { atMost } from './at-most.js';

test('holds so many entries and evicts the least recently used one', () => {
  const cache = new LRUCache<string, number>(atMost(3));
  for (const [number, name] of ['a', 'b', 'c'].entries()) cache.set(name, number);
  cache.get('a');
  cache.set('d', 3);
  expect([...cache.keys()].sort()).toEqual(['a', 'c', 'd']);
});

test('keeps its bound while entries expire and are removed', () => {
  let now = 1;
  const cache = new LRUCache<string, number>({ ...atMost(10), ttl: 5, perf: { now: () => now } });
  for (; now < 200; now++) {
    cache.set(`${now}`, now);
    if (now % 3 === 0) cache.delete(`${now - 1}`);
    expect(cache.size).toBeLessThanOrEqual(10);
  }
  expect(cache.get('199')).toBe(199);
  expect(cache.get('150')).toBeUndefined();
});
