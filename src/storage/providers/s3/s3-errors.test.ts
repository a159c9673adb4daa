import { describe, expect, it } from 'vitest';
import { StorageError } from '../../storage-error.js';
import { codeOf, isAbsent, isRefused, toStorageError } from './s3-errors.js';

/** As the client throws it, with what must not get out. */
function respond(name: string, status: number) {
  const request = { headers: { authorization: 'Credential=planted' } };
  return Object.assign(new Error(`planted: ${name} of key planted`), {
    name,
    $metadata: { httpStatusCode: status },
    $response: request,
  });
}

const network = (code: string) => Object.assign(new Error(`connect ${code} planted`), { code, $metadata: {} });

describe('notFound', () => {
  it.each([
    ['NoSuchKey', 404, false, true],
    ['NotFound', 404, true, true],
    ['NotFound', 404, false, false],
    ['NoSuchBucket', 404, false, false],
    ['NoSuchBucket', 404, true, false],
    ['NoSuchUpload', 404, false, false],
    ['UnknownError', 404, false, false],
    ['AccessDenied', 403, true, false],
    ['InternalError', 500, true, false],
  ])('is not seen in everything: %s with status %i, HEAD %s', (name, status, isHead, expected) => {
    expect(isAbsent(respond(name, status), isHead)).toBe(expected);
  });

  it('is not inferred from network errors', () => {
    expect(isAbsent(network('ENOTFOUND'), true)).toBe(false);
  });
});

describe('toStorageError', () => {
  it.each([
    [respond('InternalError', 500), 'InternalError'],
    [respond('NoSuchBucket', 404), 'NoSuchBucket'],
    [respond('UnknownError', 502), 'status 502'],
    [network('ECONNRESET'), 'ECONNRESET'],
    [Object.assign(new AggregateError([network('ECONNREFUSED')], ''), { code: undefined }), 'ECONNREFUSED'],
    [Object.assign(new Error('x'), { name: 'https://planted/?X-Amz-Signature=1' }), 'unknown error'],
  ])('is failed, with a code and nothing of the request: %#', (error, code) => {
    const failure = toStorageError(error, 'read an object');
    expect(failure).toMatchObject({ kind: 'failed', message: `the storage could not read an object (${code})` });
    const everything = JSON.stringify(failure, Object.getOwnPropertyNames(failure)) + String(failure.cause);
    expect(everything).not.toContain('planted');
    expect(codeOf(failure.cause)).toBe('unknown error');
  });

  it('leaves a StorageError as it is', () => {
    const error = new StorageError('damaged', 'cut');
    expect(toStorageError(error, 'read')).toBe(error);
  });
});

describe('isRefused', () => {
  it.each([
    [respond('AccessDenied', 403), true],
    [respond('NoSuchUpload', 404), true],
    [new StorageError('failed', 'x'), true],
    [respond('SlowDown', 503), false],
    [respond('ExistingObjectIsDirectory', 409), false],
    [respond('TooManyRequests', 429), false],
    [respond('RequestTimeout', 400), false],
    [respond('RequestTimeTooSkewed', 403), false],
    [network('ECONNRESET'), false],
  ])('recognizes errors for which a retry is pointless: %#', (error, expected) => {
    expect(isRefused(error)).toBe(expected);
  });
});
