import { expect } from 'vitest';
import { makeBlob } from '../../../fixtures/images.js';
import { type Hosting, withQuery } from './hosting.js';

/** What is sent in part. */
export const partial = makeBlob(200_000, 'hostile');
export const half = partial.body.subarray(0, 100_000);

/** The head of a request with a body of any length, which does not follow. */
export function headOf(method: string, target: string, length: number, headers: readonly string[] = []): string {
  return [`${method} ${target} HTTP/1.1`, 'host: m', `content-length: ${length}`, ...headers, '', ''].join('\r\n');
}

/** Goes on with a session where it stands. */
export async function finish(hosting: Hosting, location: string): Promise<void> {
  const { status, headers } = await hosting.ask('GET', location);
  expect(status).toBe(204);
  const size = headers.range === '0-0' ? 0 : Number(headers.range!.split('-')[1]) + 1;
  expect(size).toBeLessThanOrEqual(partial.body.length);
  const rest = { body: partial.body.subarray(size) };
  const put = await hosting.ask('PUT', withQuery(headers.location!, `digest=${partial.digest}`), rest);
  expect(put.status).toBe(201);
  const { body } = await hosting.ask('GET', put.headers.location!);
  expect(body.equals(partial.body)).toBe(true);
}
