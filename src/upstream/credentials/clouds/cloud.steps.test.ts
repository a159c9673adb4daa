import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { CloudClient } from '../cloud.client.js';
import { CredentialError } from '../credential.source.js';
import { CloudSteps, type Step } from './cloud.steps.js';

// The pauses between attempts take no time.
vi.mock('node:timers/promises', async (load) => ({ ...(await load<object>()), setTimeout: () => Promise.resolve() }));

const { signal } = new AbortController();
const step: Step = { name: 'the step', method: 'GET', url: new URL('https://cloud.test/'), fields: { a: 'value' } };

function run(status: number, text: string, date = ''): Promise<unknown> {
  const client = Object.assign(new CloudClient(), { send: () => Promise.resolve({ status, headers: { date }, text }) });
  return new CloudSteps(client, new HandClock()).run(step, signal).catch((error: unknown) => error);
}

describe('a step of a recipe', () => {
  it('gives fields or an error that names it, whatever is sent', async () => {
    const code = fc.oneof(fc.jsonValue(), fc.string());
    const failure = fc.record({ error: code, error_codes: code, errors: code }, { requiredKeys: [] });
    const text = fc.oneof(
      fc.string(),
      fc.oneof(fc.jsonValue(), failure).map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(200, 302, 400, 503), text, fc.string(), async (status, sent, date) => {
        const result = await run(status, sent, date);
        expect(result).toSatisfy((value) => value instanceof CredentialError || !(value instanceof Error));
        if (!(result instanceof CredentialError)) return;
        expect(result.message).toMatch(/^the step failed: (cloud\.test|the response of cloud\.test)/);
        expect(result.message.length).toBeLessThan(300);
      }),
    );
  });

  it.each([
    [{ error: 'invalid_grant', error_description: 'x y' }, ' (invalid_grant)'],
    [{ error: 'invalid_client', error_codes: [7_000_215, 5] }, ' (invalid_client, AADSTS7000215)'],
    [{ error: { code: 403, status: 'PERMISSION_DENIED' } }, ' (PERMISSION_DENIED)'],
    [{ errors: [{ code: 'UNAUTHORIZED' }] }, ' (UNAUTHORIZED)'],
    [{ error: 'eyJhbGciOi.J9' }, ''],
    [{ message: 'Bad credentials' }, ''],
  ])('names the code of %j', async (body, code) => {
    expect(await run(400, JSON.stringify(body))).toEqual(
      new CredentialError(`the step failed: cloud.test responded with 400${code}`),
    );
  });
});
