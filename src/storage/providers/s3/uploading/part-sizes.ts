/** Parts after which the size of the next ones doubles: 10,000 parts, more than S3 takes, then hold 8 TiB. */
const partsOfOneSize = 1000;

export interface Part {
  /** From 1. */
  readonly number: number;
  readonly offset: number;
  readonly length: number;
}

/** The whole parts of an upload, in order, without an end: where one lies depends on nothing but its number. */
export function* partsOf(first: number): Generator<Part, never> {
  let offset = 0;
  for (let number = 1; ; number += 1) {
    const length = first * 2 ** Math.floor((number - 1) / partsOfOneSize);
    yield { number, offset, length };
    offset += length;
  }
}
