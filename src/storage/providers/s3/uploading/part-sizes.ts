/** Number of parts after which the part size doubles: the 10,000 parts that S3 allows then hold 8 TiB. */
const partsOfOneSize = 1000;

export interface Part {
  /** Starts at 1. */
  readonly number: number;
  readonly offset: number;
  readonly length: number;
}

/** The infinite sequence of parts of an upload; the position of a part depends on its number only. */
export function* partsOf(first: number): Generator<Part, never> {
  let offset = 0;
  for (let number = 1; ; number += 1) {
    const length = first * 2 ** Math.floor((number - 1) / partsOfOneSize);
    yield { number, offset, length };
    offset += length;
  }
}
