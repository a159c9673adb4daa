import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BodyMemory, type Hold } from './body.memory.js';

const mebibyte = 1024 * 1024;
const nothing = () => undefined;

let memory: BodyMemory;
/** Owners in the order in which they got room. */
let entered: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  memory = new BodyMemory(16 * mebibyte);
  entered = [];
});
afterEach(() => vi.useRealTimers());

async function fill(cut: () => void = nothing): Promise<Hold[]> {
  const holds = await Promise.all(['a', 'a', 'b', 'b'].map((owner) => memory.take(owner, 3.5 * mebibyte, cut)));
  expect(memory.size).toBe(14 * mebibyte);
  return holds.map((hold) => hold!);
}

function want(owner: string, bytes = 3 * mebibyte): Promise<Hold | undefined> {
  return memory.take(owner, bytes, nothing).then((hold) => {
    if (hold) entered.push(owner);
    return hold;
  });
}

describe('room', () => {
  it('is given up to the limit, and to one owner up to half of it', async () => {
    expect(await memory.take('a', 8 * mebibyte, nothing)).toBeDefined();
    void want('a', 1);
    void want('b', 6 * mebibyte);
    await vi.advanceTimersByTimeAsync(1);
    // An eighth is for small bodies, of whom half may be had by one owner, too.
    expect(entered).toEqual([]);
    void want('c', 64 * 1024);
    await vi.advanceTimersByTimeAsync(300);
    expect(entered).toEqual(['b', 'c']);
  });

  it('goes to the owners in turn', async () => {
    const holds = await fill();
    for (const owner of ['x', 'x', 'x', 'y', 'z']) void want(owner);
    for (const hold of holds) {
      hold.release();
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(entered).toEqual(['x', 'y', 'z', 'x']);
  });

  it('is waited for 10 s, and by no more than an eighth of the waiters of one owner', async () => {
    await fill();
    const results = Promise.all(Array.from({ length: 129 }, () => want('x', mebibyte)));
    expect(memory.waiting).toBe(128);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(memory.waiting).toBe(128);
    await vi.advanceTimersByTimeAsync(1);
    expect(await results).toEqual(Array(129).fill(undefined));
    expect([memory.waiting, memory.size]).toEqual([0, 14 * mebibyte]);
  });
});

describe('a holder that makes no progress', () => {
  it('stays for as long as nobody waits, and is cut 2 s after somebody does', async () => {
    const cut = vi.fn();
    const [first] = await fill(cut);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(cut).not.toHaveBeenCalled();
    first!.progress(2 * mebibyte);
    void want('x');
    await vi.advanceTimersByTimeAsync(250);
    // One is enough for what is wanted.
    expect(cut).toHaveBeenCalledTimes(1);
  });

  it('is told from one whose body will be whole in time, and from one that is whole', async () => {
    const cuts: string[] = [];
    const take = (name: string) => memory.take(name, 3.5 * mebibyte, () => cuts.push(name));
    const [steady, whole, dripping] = [await take('steady'), await take('whole'), await take('dripping')];
    await take('stalled');
    whole!.complete();
    void want('x', 3 * mebibyte);
    void want('y', 3 * mebibyte);
    for (let second = 0; second < 9; second += 1) {
      steady!.progress(150_000);
      dripping!.progress(10_000);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(cuts.sort()).toEqual(['dripping', 'stalled']);
  });
});

describe('a body', () => {
  it('counts once, however many hold it, until the last one has let go', async () => {
    const body = Buffer.alloc(3 * mebibyte);
    const holds = await Promise.all([1, 2, 3].map(() => memory.hold('clients', body, nothing)));
    expect(memory.size).toBe(3 * mebibyte);
    holds[0]!.release();
    holds[0]!.release();
    holds[1]!.release();
    expect(memory.size).toBe(3 * mebibyte);
    holds[2]!.release();
    expect(memory.size).toBe(0);
    (await memory.hold('clients', body, nothing))!.release();
    expect(memory.size).toBe(0);
  });

  it('that was received is handed over to those who send it', async () => {
    const body = Buffer.alloc(3 * mebibyte);
    const received = await memory.take('a', body.length, nothing);
    memory.bind(received!, body);
    received!.handOver();
    const sent = await memory.hold('clients', body, nothing);
    await new Promise((resolve) => setImmediate(resolve));
    expect(memory.size).toBe(3 * mebibyte);
    sent!.release();
    expect(memory.size).toBe(0);
  });
});
