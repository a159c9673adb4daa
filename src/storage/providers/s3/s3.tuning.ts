import type { CircuitTuning } from './bucket.circuit.js';

const mebibyte = 1024 * 1024;

/** Limits of the S3 provider, which tests reduce. */
export interface S3Tuning extends CircuitTuning {
  /** Size of the first parts of an upload in bytes; smaller content is sent in one request. S3 requires 5 MiB. */
  readonly firstPart: number;
  /** Parts of an upload session after which its parts become larger, a multiple of four; S3 allows 10,000. */
  readonly maxParts: number;
  /** Largest copy within the bucket in one request, in bytes; S3 allows 5 GiB. */
  readonly largestCopy: number;
  /** Milliseconds without a byte, in either direction, after which a transfer has failed. */
  readonly idleTimeout: number;
  /** Milliseconds for requests that take the server long: completing an upload or copying an object. */
  readonly operationTimeout: number;
  /** Milliseconds for a small request, or for opening an object, including retries: less than a response may take. */
  readonly requestTimeout: number;
  /** Milliseconds before a transfer is retried; doubled each time. */
  readonly retryDelay: number;
}

export const defaultTuning: S3Tuning = {
  firstPart: 8 * mebibyte,
  maxParts: 8_000,
  largestCopy: 5 * 1024 * mebibyte,
  idleTimeout: 30_000,
  operationTimeout: 600_000,
  requestTimeout: 20_000,
  retryDelay: 200,
  minOutage: 2_000,
  // A look later it is at most 2 s.
  silence: 1_700,
  probeDelay: 1_000,
  maxProbeDelay: 5_000,
};

/** Attempts before a transfer has failed. */
export const maxTries = 4;

export interface CallOptions {
  readonly abortSignal: AbortSignal;
}

/** Milliseconds without a byte after which a read is retried. */
export function idleTimeOf({ idleTimeout, requestTimeout }: S3Tuning): number {
  return Math.min(idleTimeout, requestTimeout / 4);
}

/** Options that give a small request its deadline. */
export function callOptions({ requestTimeout }: S3Tuning): CallOptions {
  return { abortSignal: AbortSignal.timeout(requestTimeout) };
}
