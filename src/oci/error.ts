/**
 * Every error code that a client can receive, with its status and default message.
 * Codes are those of the distribution specification (code-1 … code-14); the others, as UNAVAILABLE, UPSTREAM_ERROR,
 * TIMEOUT and UNKNOWN, are registry-defined, which the specification allows.
 */
const table = {
  BLOB_UNKNOWN: [404, 'blob unknown to registry'],
  BLOB_UPLOAD_INVALID: [400, 'blob upload invalid'],
  BLOB_UPLOAD_UNKNOWN: [404, 'blob upload unknown to registry'],
  DIGEST_INVALID: [400, 'provided digest is not a valid digest'],
  MANIFEST_BLOB_UNKNOWN: [400, 'manifest references a manifest or blob unknown to registry'],
  MANIFEST_INVALID: [400, 'manifest invalid'],
  MANIFEST_UNKNOWN: [404, 'manifest unknown to registry'],
  NAME_INVALID: [400, 'invalid repository name'],
  NAME_UNKNOWN: [404, 'repository name not known to registry'],
  RANGE_INVALID: [416, 'the requested range is not satisfiable'],
  SIZE_INVALID: [413, 'the content is larger than the limit'],
  PRECONDITION_FAILED: [412, 'the tag has changed'],
  TAG_INVALID: [400, 'provided tag is not a valid tag'],
  UNAUTHORIZED: [401, 'authentication required'],
  DENIED: [403, 'requested access to the resource is denied'],
  UNSUPPORTED: [405, 'the operation is unsupported'],
  NOT_FOUND: [404, 'no such endpoint'],
  REQUEST_INVALID: [400, 'the request is malformed'],
  TOOMANYREQUESTS: [429, 'too many requests'],
  UNKNOWN: [500, 'unknown error'],
  UPSTREAM_ERROR: [502, 'the upstream registry sent an invalid response'],
  UNAVAILABLE: [503, 'temporarily unavailable'],
  TIMEOUT: [504, 'the upstream registry did not respond in time'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof table;

export interface OciErrorOptions {
  /** Overrides the table's status, for codes with more than one. */
  readonly status?: number;
  readonly detail?: unknown;
  /** Seconds after which the client may retry. */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

/** The error that the exception filter renders. Clients see the message: it has no secrets and no internal addresses. */
export class OciError extends Error {
  override readonly name = 'OciError';
  readonly status: number;
  readonly detail: unknown;
  readonly retryAfter: number | undefined;

  constructor(
    readonly code: ErrorCode,
    message?: string,
    options: OciErrorOptions = {},
  ) {
    super(message ?? table[code][1], options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status ?? table[code][0];
    this.detail = options.detail;
    this.retryAfter = options.retryAfter;
  }
}

/** The error document of the distribution specification, section "Error Codes". */
export function errorDocument(error: OciError): string {
  const { code, message, detail } = error;
  return JSON.stringify({ errors: [detail === undefined ? { code, message } : { code, message, detail }] });
}

/** The code for a status when only the status is known, as for errors of the HTTP framework. */
export function codeOfStatus(status: number): ErrorCode {
  const entry = Object.entries(table).find(([code, [value]]) => value === status && !code.endsWith('_UNKNOWN'));
  if (status === 400 || entry === undefined) return status < 500 ? 'REQUEST_INVALID' : 'UNKNOWN';
  if (status === 404) return 'NOT_FOUND';
  return entry[0] as ErrorCode;
}
