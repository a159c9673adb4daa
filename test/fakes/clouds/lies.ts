import { expect } from 'vitest';
import { CredentialError, type CredentialSource } from '../../../src/upstream/credentials/credential.source.js';
import { type Lie, planted, type ClockedCloud } from './clocked-cloud.js';

const text =
  (status: number, body: string, type = 'application/json'): Lie =>
  (_, response) =>
    response.writeHead(status, { 'content-type': type }).end(body);

/** What a cloud, a proxy or a captive portal may send in place of a reply. */
const lies: Readonly<Record<string, Lie>> = {
  'nothing at all': () => undefined,
  'half a body': (_, response) => response.writeHead(200).write(`{"access_token":"${planted}`),
  'an endless body': (_, response) => {
    const more = () => {
      if (response.write('x'.repeat(65_536))) setImmediate(more);
      else response.once('drain', more);
    };
    response.on('close', () => response.removeAllListeners('drain'));
    more();
  },
  'an empty body': text(200, ''),
  'a web page': text(200, `<html><title>Sign in</title>${planted}</html>`, 'text/html'),
  'cut JSON': text(200, `{"access_token":"${planted}"`),
  'an array': text(200, `["${planted}"]`),
  'an empty object': text(200, '{}'),
  null: text(200, 'null'),
  'fields of other kinds': text(
    200,
    JSON.stringify(
      Object.fromEntries(
        ['access_token', 'accessToken', 'refresh_token', 'token', 'id'].map((name) => [name, [planted]]),
      ),
    ),
  ),
  'a token with a line break': text(
    200,
    JSON.stringify(
      Object.fromEntries(
        ['access_token', 'accessToken', 'refresh_token', 'token', 'id'].map((name) => [name, `${planted}\r\nx: y`]),
      ),
    ),
  ),
  'a redirect': (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  'status 400 with a secret as its error': text(400, JSON.stringify({ error: planted, error_description: planted })),
  'status 400 with null': text(400, 'null'),
  'status 400 with a list': text(400, JSON.stringify([planted])),
  'status 400 with errors of other kinds': text(
    400,
    JSON.stringify({ error: [planted], errors: planted, error_codes: {} }),
  ),
  'status 401': text(401, JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: planted }] })),
  'status 403 of a proxy': text(403, `<html>${planted}</html>`, 'text/html'),
  'status 404': text(404, JSON.stringify({ message: planted })),
  'status 429': text(429, ''),
  'status 500': text(500, JSON.stringify({ error: { code: 500, message: planted, status: 'INTERNAL' } })),
  'status 503': text(503, planted, 'text/plain'),
};

/** Those that only the caller's signal ends. */
const endless = new Set(['nothing at all', 'half a body']);

/** Each lie at a path of a cloud is an error that says which step failed, soon, and no secret. */
export async function expectFailures(source: CredentialSource, cloud: ClockedCloud, at: string): Promise<void> {
  for (const [name, send] of Object.entries(lies)) {
    cloud.lie = { at, send };
    const error = await failureOf(source, AbortSignal.timeout(endless.has(name) ? 100 : 20_000));
    expect(error.message, name).toMatch(/^the (token request|exchange|search|request).* failed: |subject token/);
    if (endless.has(name)) expect(error.message).toContain('did not respond in time');
  }
  cloud.lie = undefined;
}

/** The error of a source, with no secret in any of its properties. */
export async function failureOf(
  source: CredentialSource,
  signal = AbortSignal.timeout(20_000),
): Promise<CredentialError> {
  const error: unknown = await source.fetch(signal).then(
    () => expect.fail('credentials'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CredentialError);
  const everything = JSON.stringify(error, Object.getOwnPropertyNames(error));
  expect(everything).not.toContain(planted);
  expect(everything).not.toContain('PRIVATE KEY');
  return error as CredentialError;
}
