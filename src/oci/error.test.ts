import { describe, expect, it } from 'vitest';
import { codeOfStatus, errorDocument, OciError, type ErrorCode } from './error.js';

/** Codes and statuses as DESIGN §8 and the distribution specification have them. */
const statuses: Record<ErrorCode, number> = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  MANIFEST_BLOB_UNKNOWN: 400,
  DIGEST_INVALID: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  RANGE_INVALID: 416,
  SIZE_INVALID: 413,
  PRECONDITION_FAILED: 412,
  TAG_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  NOT_FOUND: 404,
  REQUEST_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNKNOWN: 500,
  UPSTREAM_ERROR: 502,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
};

interface ErrorDocument {
  errors: { code: string; message: string; detail?: unknown }[];
}
const documentOf = (error: OciError) => JSON.parse(errorDocument(error)) as ErrorDocument;

describe('the error table', () => {
  for (const [code, status] of Object.entries(statuses) as [ErrorCode, number][]) {
    it(`renders ${code} with ${status} as the specification's document`, () => {
      const error = new OciError(code);
      expect(error.status).toBe(status);
      const document = documentOf(error);
      expect(Object.keys(document)).toEqual(['errors']);
      expect(document.errors).toHaveLength(1);
      expect(Object.keys(document.errors[0]!)).toEqual(['code', 'message']);
      // The specification: the code is of upper-case letters and underscores only.
      expect(document.errors[0]!.code).toBe(code);
      expect(code).toMatch(/^[A-Z_]+$/);
      expect(document.errors[0]!.message.length).toBeGreaterThan(0);
    });
  }

  it('renders a message and a detail of its own', () => {
    const error = new OciError('DENIED', 'not for you', { detail: { repository: 'a/b' } });
    expect(documentOf(error).errors).toEqual([
      { code: 'DENIED', message: 'not for you', detail: { repository: 'a/b' } },
    ]);
  });

  it('renders neither the cause nor the stack', () => {
    const error = new OciError('UNAVAILABLE', undefined, { cause: new Error('password hunter2'), retryAfter: 5 });
    expect(errorDocument(error)).not.toMatch(/hunter2|stack|retryAfter/);
    expect((error.cause as Error).message).toContain('hunter2');
    expect(error.retryAfter).toBe(5);
  });

  it('lets a code stand for another status', () => {
    expect(new OciError('UNKNOWN', undefined, { status: 418 }).status).toBe(418);
  });

  it('has no cause where none was given', () => expect(new OciError('DENIED')).not.toHaveProperty('cause'));
});

describe('codeOfStatus', () => {
  const codes: Record<number, ErrorCode> = {
    400: 'REQUEST_INVALID',
    401: 'UNAUTHORIZED',
    403: 'DENIED',
    404: 'NOT_FOUND',
    405: 'UNSUPPORTED',
    406: 'REQUEST_INVALID',
    413: 'SIZE_INVALID',
    415: 'REQUEST_INVALID',
    416: 'RANGE_INVALID',
    429: 'TOOMANYREQUESTS',
    431: 'REQUEST_INVALID',
    500: 'UNKNOWN',
    501: 'UNKNOWN',
    502: 'UPSTREAM_ERROR',
    503: 'UNAVAILABLE',
    504: 'TIMEOUT',
  };
  for (const [status, code] of Object.entries(codes)) {
    it(`of ${status} is ${code}`, () => expect(codeOfStatus(Number(status))).toBe(code));
  }
});
