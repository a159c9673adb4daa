import { beforeEach, describe, expect, it } from 'vitest';
import { Attempts } from './attempts.js';
import { PasswordVerifier } from './password.verifier.js';

let time: number;
let verifier: PasswordVerifier;
let attempts: Attempts;
/** Passwords in the order of their hashes; those that begin with `right` are. */
let compared: string[];
/** Ends the hash of now; there is one at a time. */
let finish: (() => void) | undefined;

beforeEach(() => {
  time = 1_000_000;
  compared = [];
  finish = undefined;
  attempts = new Attempts(() => time);
  verifier = new PasswordVerifier(
    () => time,
    attempts,
    (password) => {
      expect(finish).toBeUndefined();
      compared.push(password);
      return new Promise((resolve) => {
        finish = () => {
          finish = undefined;
          resolve(password.startsWith('right'));
        };
      });
    },
  );
});

/** Reasons, and whether passwords were right. */
type Outcome = boolean | string;

let sent: Promise<Outcome>[];
beforeEach(() => {
  sent = [];
});

function send(address: string, username: string, password: string): Promise<Outcome> {
  const outcome = verifier.verify({ address, username, password }, 'hash').catch((error: unknown) => {
    if (error instanceof Error) return error.message;
    throw error;
  });
  sent.push(outcome);
  return outcome;
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Until no hash is left. */
async function hashAll(): Promise<Outcome[]> {
  for (await settle(); finish; await settle()) finish();
  return Promise.all(sent);
}

const count = (outcomes: Outcome[], outcome: Outcome) => outcomes.filter((each) => each === outcome).length;

describe('guesses at once', () => {
  it('are no more than guesses one after another', async () => {
    for (let index = 0; index < 40; index += 1) void send('192.0.2.1', 'anna', `wrong ${index}`);
    const outcomes = await hashAll();
    expect([compared.length, count(outcomes, 'busy')]).toEqual([5, 35]);
  });

  it('from addresses of one /64 are those of one client', async () => {
    for (let index = 0; index < 30; index += 1) void send(`2001:db8:1:2::${index.toString(16)}`, 'anna', `${index}`);
    await hashAll();
    expect(compared).toHaveLength(5);
    expect(await send('2001:db8:1:2::ffff', 'anna', 'right')).toBe('busy');
    void send('2001:db8:1:3::1', 'anna', 'right');
    expect((await hashAll()).at(-1)).toBe(true);
  });

  it('with the same password are one', async () => {
    for (let index = 0; index < 20; index += 1) void send('192.0.2.1', 'anna', 'right');
    expect(count(await hashAll(), true)).toBe(20);
    for (let index = 0; index < 20; index += 1) void send('192.0.2.1', 'bert', 'wrong');
    expect(count(await hashAll(), false)).toBe(20);
    expect(compared).toEqual(['right', 'wrong']);
  });
});

describe('attempts that succeed', () => {
  it('are no failures of the address, and do not keep its failures in memory', async () => {
    for (let index = 0; index < 45; index += 1) attempts.fail('192.0.2.1', `nobody ${index}`);
    for (let index = 0; index < 60; index += 1) {
      time += 10_001;
      void send('192.0.2.1', `user ${index}`, `right ${index}`);
      expect((await hashAll()).at(-1)).toBe(true);
    }
    for (let index = 0; index < 49; index += 1) attempts.fail('192.0.2.1', `nobody ${index}`);
    expect(() => attempts.assert('192.0.2.1', 'anna')).not.toThrow();
  });

  it('go on at an address that had to wait', async () => {
    for (let index = 0; index < 54; index += 1) attempts.fail('192.0.2.1', `nobody ${index}`);
    time += 16_000;
    for (const name of ['anna', 'bert']) {
      void send('192.0.2.1', name, `right ${name}`);
      expect((await hashAll()).at(-1)).toBe(true);
    }
  });
});

describe('the queue', () => {
  it('lets a user sign in beside an address that floods it with names', async () => {
    for (let index = 0; index < 40; index += 1) void send('127.0.6.1', `u${index}`, `wrong ${index}`);
    void send('127.0.7.1', 'slow', 'right');
    const outcomes = await hashAll();
    expect(outcomes.at(-1)).toBe(true);
    // After the one in progress, and one more of the other address.
    expect(compared.indexOf('right')).toBe(2);
    expect(count(outcomes, 'busy')).toBe(31);
    // What was not compared is no failure.
    expect(() => attempts.assert('127.0.6.1', 'u39')).not.toThrow();
  });

  it('refuses the newest of the address with most waiting, and has a bound over all', async () => {
    for (let index = 0; index < 1 + 16 * 8; index += 1) void send(`127.0.6.${index % 16}`, `u${index}`, `${index}`);
    void send('127.0.7.1', 'anna', 'right');
    const outcomes = await hashAll();
    expect(outcomes.at(-1)).toBe(true);
    expect(compared.indexOf('right')).toBeLessThanOrEqual(17);
    expect(compared).toHaveLength(65);
  });

  it('prefers whoever has signed in from the same address before, beside any number of addresses', async () => {
    void send('127.0.7.1', 'anna', 'right');
    await hashAll();
    time += 6 * 86_400_000;
    for (let index = 0; index < 200; index += 1) void send(`127.0.6.${index}`, `u${index}`, `wrong ${index}`);
    void send('127.0.7.1', 'anna', 'right again');
    expect((await hashAll()).at(-1)).toBe(true);
    expect(compared.indexOf('right again')).toBe(2);
  });

  it('is free again after failures of the thread, which are no failures of the client', async () => {
    let hashes = 0;
    const broken = new PasswordVerifier(
      () => time,
      attempts,
      async () => {
        hashes += 1;
        await settle();
        throw new Error('the thread has ended');
      },
    );
    for (let index = 0; index < 20; index += 1) {
      const guess = { address: '192.0.2.1', username: 'anna', password: 'x' };
      await expect(broken.verify(guess, 'hash')).rejects.toThrow('the thread has ended');
    }
    expect(hashes).toBe(20);
  });
});
