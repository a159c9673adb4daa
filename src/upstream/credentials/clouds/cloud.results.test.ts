import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CredentialError } from '../credential.source.js';
import { endAfter, endAt, endOfJwt, isToken, tokenOf } from './cloud.results.js';
import type { Step, StepResult } from './cloud.steps.js';

const now = Date.UTC(2026, 0, 1);
const longest = 86_400_000;
const step: Step = { name: 'the step', method: 'GET', url: new URL('https://cloud.test/'), fields: {} };
const resultOf = (value: unknown, date?: string): StepResult => ({ fields: { value }, headers: date ? { date } : {} });

/** A result, or undefined for an error that names the step. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(CredentialError);
    expect((error as Error).message).toMatch(/^the step failed: /);
    return undefined;
  }
}

const expectEnd = (end: number | undefined) => {
  if (end !== undefined) expect(end > now && end <= now + longest).toBe(true);
};

describe('what a cloud responds', () => {
  it('is a token that a header can hold, or an error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' })), (value) => {
        const token = attempt(() => tokenOf(resultOf(value), 'value', step));
        if (token !== undefined) expect(isToken(token) && token === value).toBe(true);
      }),
    );
    expect(isToken('x'.repeat(32_769))).toBe(false);
  });

  it('has an end within a day, or is an error', () => {
    const lifetime = fc.oneof(fc.jsonValue(), fc.double(), fc.integer().map(String));
    fc.assert(
      fc.property(lifetime, (value) => expectEnd(attempt(() => endAfter(resultOf(value), 'value', step, now)))),
    );
    const time = fc.oneof(
      fc.jsonValue(),
      fc.date().map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toJSON()),
    );
    const header = fc.oneof(
      fc.string(),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    );
    fc.assert(
      fc.property(time, header, (value, date) =>
        expectEnd(attempt(() => endAt(resultOf(value, date), 'value', step, now))),
      ),
    );
  });

  it('is believed about the claims of a JWT within the same bounds', () => {
    const number = fc.oneof(fc.jsonValue(), fc.double());
    const claims = fc.oneof(fc.jsonValue(), fc.record({ exp: number, iat: number, nbf: number }, { requiredKeys: [] }));
    const jwt = claims.map((value) => `e30.${Buffer.from(JSON.stringify(value)).toString('base64url')}.x`);
    fc.assert(fc.property(fc.oneof(jwt, fc.string()), (token) => expectEnd(attempt(() => endOfJwt(token, step, now)))));
  });

  it.each([
    ['2026-01-01T01:00:00Z', undefined, 3_600],
    ['2026-01-01T02:00:00.5+01:00', undefined, 3_600.5],
    // The clock of the cloud is a day ahead.
    ['2026-01-02T01:00:00Z', 'Fri, 02 Jan 2026 00:00:00 GMT', 3_600],
    ['2025-12-31T23:00:00Z', 'Wed, 31 Dec 2025 22:00:00 GMT', 3_600],
  ])('ends at %s by a clock that says %s', (value, date, seconds) => {
    expect(endAt(resultOf(value, date), 'value', step, now)).toBe(now + seconds * 1000);
  });
});
