import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAuthorizationToken } from './authorization.token.js';

const now = Date.parse('2026-01-01T00:00:00Z');
const tokens = fc.oneof(
  fc.string().map((text) => Buffer.from(`AWS:${text}`).toString('base64')),
  fc.base64String(),
  fc.jsonValue(),
);
const times = fc.oneof(fc.double(), fc.integer({ min: now / 1000, max: now / 500 }), fc.jsonValue());
const data = fc.record({ authorizationToken: tokens, expiresAt: times }, { requiredKeys: [] });
const responses = fc
  .oneof(fc.jsonValue(), fc.record({ authorizationData: fc.oneof(fc.array(data), data, fc.jsonValue()) }))
  .map((value) => JSON.stringify(value));

describe('a response to GetAuthorizationToken', () => {
  it('gives a password that a header can have and an end within twelve hours, or an error without it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), responses), (text) => {
        try {
          const { password, expiresAt } = readAuthorizationToken(text, now);
          expect(password.reveal()).toMatch(/^[\x21-\x7e]+$/);
          expect(expiresAt).toBeGreaterThan(now);
          expect(expiresAt).toBeLessThanOrEqual(now + 12 * 3_600_000);
        } catch (error) {
          expect(error).toMatchObject({ name: 'CredentialError' });
          expect((error as Error).message).toMatch(/^ECR's response to GetAuthorizationToken [a-zA-Z :]+$/);
        }
      }),
      { numRuns: 500 },
    );
  });
});
