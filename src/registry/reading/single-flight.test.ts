import { describe, expect, it } from 'vitest';
import { SingleFlight } from './single-flight.js';

/** An action that a test ends. */
function pending() {
  let calls = 0;
  let settle: { resolve: (value: string) => void; reject: (error: Error) => void } | undefined;
  const action = () => {
    calls += 1;
    return new Promise<string>((resolve, reject) => (settle = { resolve, reject }));
  };
  return {
    action,
    calls: () => calls,
    resolve: (value: string) => settle?.resolve(value),
    reject: (error: Error) => settle?.reject(error),
  };
}

describe('SingleFlight', () => {
  it('runs one action for concurrent callers, and gives all of them its result', async () => {
    const flight = new SingleFlight<string>();
    const { action, calls, resolve } = pending();
    const results = [flight.run('key', action), flight.run('key', action), flight.run('key', action)];
    expect([calls(), flight.size]).toEqual([1, 1]);
    expect(flight.find('key')).toBe(results[0]);
    resolve('value');
    expect(await Promise.all(results)).toEqual(['value', 'value', 'value']);
    expect([flight.size, flight.find('key')]).toEqual([0, undefined]);
  });

  it('gives all of them its error, and starts again for the next', async () => {
    const flight = new SingleFlight<string>();
    const first = pending();
    const results = [flight.run('key', first.action), flight.run('key', first.action)];
    const failure = new Error('failed');
    first.reject(failure);
    for (const result of await Promise.allSettled(results))
      expect(result).toEqual({ status: 'rejected', reason: failure });
    expect(await flight.run('key', () => Promise.resolve('again'))).toBe('again');
  });

  it('keeps keys apart', async () => {
    const flight = new SingleFlight<string>();
    const run = (key: string) => flight.run(key, () => Promise.resolve(key));
    expect(await Promise.all([run('a'), run('b')])).toEqual(['a', 'b']);
  });

  it('has finished before its callers continue', async () => {
    const flight = new SingleFlight<string>();
    await flight.run('key', () => Promise.resolve('first'));
    expect(await flight.run('key', () => Promise.resolve('second'))).toBe('second');
  });
});
