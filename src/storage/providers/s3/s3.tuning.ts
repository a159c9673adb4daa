import type { CircuitTuning } from './bucket.circuit.js';

const mebibyte = 1024 * 1024;

/** Bounds of the S3 provider, which tests make smaller. */
export interface S3Tuning extends CircuitTuning {
  /** Bytes of the first parts of an upload; smaller content goes up in one request. S3 takes no parts below 5 MiB. */
  readonly firstPart: number;
  /** Bytes that one request may copy inside the bucket; S3 takes at most 5 GiB. */
  readonly largestCopy: number;
  /** Milliseconds without a byte, in either direction, after which a transfer has failed. */
  readonly stall: number;
  /** Milliseconds for a request whose answer takes the server time: to put parts together, or to copy an object. */
  readonly patience: number;
  /** Milliseconds for a small request, its repetitions included. */
  readonly deadline: number;
  /** Milliseconds before a transfer is tried again; doubled each time. */
  readonly pause: number;
}

export const usualTuning: S3Tuning = {
  firstPart: 8 * mebibyte,
  largestCopy: 5 * 1024 * mebibyte,
  stall: 30_000,
  patience: 600_000,
  deadline: 60_000,
  pause: 200,
  outage: 2_000,
  rest: 1_000,
  longestRest: 5_000,
};

/** Times that a transfer is tried before it has failed. */
export const maxTries = 4;
