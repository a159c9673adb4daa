import { describe, expect, it } from 'vitest';
import { ActionTokens } from './action.token.js';

const subject = { browser: 'b'.repeat(32), identity: 'user:anna', about: 'evict registry.test/app:1.0' };
const minutes = 60_000;
const now = 1_800_000_000_000;

describe('the token of an action', () => {
  const secrets = [Buffer.alloc(32, 1)];
  const tokens = new ActionTokens(() => secrets);
  const token = tokens.make(subject, now);

  it('is recognized by every process with the secret, for a while', () => {
    const other = new ActionTokens(() => [Buffer.alloc(32, 2), ...secrets]);
    expect([now, now + 14 * minutes].map((time) => other.isValid(token, subject, time))).toEqual([true, true]);
    expect([now + 15 * minutes, now + 60 * minutes].map((time) => tokens.isValid(token, subject, time))).toEqual([
      false,
      false,
    ]);
    expect(tokens.isValid(token, subject, now - minutes)).toBe(false);
  });

  it.each([
    ['another browser', { browser: 'c'.repeat(32) }],
    ['another identity', { identity: 'user:bert' }],
    ['another action', { about: 'delete registry.test/app:1.0' }],
    ['another image', { about: 'evict registry.test/app:1.1' }],
  ])('is none for %s', (_, change) => {
    expect(tokens.isValid(token, { ...subject, ...change }, now)).toBe(false);
  });

  it('is none when anything of it is changed, or made without the secret', () => {
    const [end = '', mac = ''] = token.split('.');
    const later = `${(now + 15 * minutes - 1).toString(36)}.${mac}`;
    for (const each of ['', '.', end, `.${mac}`, `${end}.`, `${end}.${mac}x`, later, `-1.${mac}`, 'x'.repeat(10_000)])
      expect([each, tokens.isValid(each, subject, now)]).toEqual([each, false]);
    expect(tokens.isValid(new ActionTokens(() => []).make(subject, now), subject, now)).toBe(false);
  });

  it('counts in its own process where there is no secret', () => {
    const own = new ActionTokens(() => []);
    expect(own.isValid(own.make(subject, now), subject, now)).toBe(true);
  });
});
