import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LookupLimiter } from './lookup.limiter.js';

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** Lookups under way, in order. */
let asked: { name: string; answer: Answer }[];
let limiter: LookupLimiter;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  limiter = new LookupLimiter((name, _options, callback) => void asked.push({ name, answer: callback }), 2);
});
afterEach(() => void vi.useRealTimers());

const addresses: LookupAddress[] = [
  { address: '192.0.2.1', family: 4 },
  { address: '2001:db8::1', family: 6 },
];

/** The result of a lookup: its addresses, or the code of its error. */
function find(name: string, options: Parameters<LookupFunction>[1] = { all: true }): Promise<unknown> {
  return new Promise((resolve) => {
    limiter.lookup(name, options, (error, found) => resolve(error ? error.code : found));
  });
}

const settle = () => vi.advanceTimersByTimeAsync(0);

describe('LookupLimiter', () => {
  it('runs as many lookups as it has slots, the others in order', async () => {
    const results = ['a', 'b', 'c', 'd'].map((name) => find(name));
    await settle();
    expect(asked.map(({ name }) => name)).toEqual(['a', 'b']);
    asked[0]!.answer(null, addresses);
    await settle();
    expect(asked.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    for (const { answer } of asked) answer(null, addresses);
    await settle();
    asked[3]!.answer(null, addresses);
    expect(await Promise.all(results)).toEqual(results.map(() => addresses));
  });

  it('shares a lookup and its failure among concurrent callers, and none with later ones', async () => {
    const results = [find('a'), find('a'), find('a', { all: true, family: 4 })];
    await settle();
    expect(asked).toHaveLength(2);
    asked[0]!.answer(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), []);
    asked[1]!.answer(null, addresses);
    expect(await Promise.all(results)).toEqual(['ENOTFOUND', 'ENOTFOUND', addresses]);
    void find('a');
    await settle();
    expect(asked).toHaveLength(3);
  });

  it('returns one address or all, as requested', async () => {
    const results = [find('a', {}), find('b', { all: true })];
    await settle();
    for (const { answer } of asked) answer(null, addresses);
    expect(await Promise.all(results)).toEqual(['192.0.2.1', addresses]);
  });

  it('gives up on a silent name after five seconds, which holds its slot until it has ended', async () => {
    const silent = [find('a'), find('b')];
    await settle();
    const waiting = find('c');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await Promise.all(silent)).toEqual(['ETIMEOUT', 'ETIMEOUT']);
    expect([await waiting, asked.length]).toEqual(['ERR_LOOKUP_LIMIT', 2]);
    asked[0]!.answer(null, addresses);
    await settle();
    const later = find('c');
    await settle();
    asked[2]!.answer(null, addresses);
    expect(await later).toEqual(addresses);
  });

  it('does not count the wait for a slot as a part of the lookup', async () => {
    void find('a');
    void find('b');
    const late = find('c');
    await vi.advanceTimersByTimeAsync(4_000);
    asked[0]!.answer(null, addresses);
    await vi.advanceTimersByTimeAsync(4_000);
    asked[2]!.answer(null, addresses);
    expect(await late).toEqual(addresses);
  });

  it('leaves nothing behind', async () => {
    const results = [find('a'), find('b'), find('c')];
    await settle();
    for (const { answer } of asked) answer(null, addresses);
    await settle();
    asked[2]!.answer(null, addresses);
    await Promise.all(results);
    expect(vi.getTimerCount()).toBe(0);
  });
});
