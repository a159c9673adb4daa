import { expect } from 'vitest';

interface ListResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** Asserts that an answer is the specification's error document ("Error Codes") with one error of this code. */
export function expectError(response: ListResult, status: number, code: string): void {
  const { headers, body } = response;
  expect({ status: response.status, body: body.toString() }).toMatchObject({ status });
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'content-length': String(body.length),
    'docker-distribution-api-version': 'registry/2.0',
    'x-content-type-options': 'nosniff',
  });
  const document = JSON.parse(body.toString()) as { errors: { code: string; message: string }[] };
  expect(document).toEqual({
    errors: [expect.objectContaining({ code, message: expect.stringMatching(/./) as string })],
  });
}
