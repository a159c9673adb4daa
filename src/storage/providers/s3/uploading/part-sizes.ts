/** Parts of an upload that S3 allows. */
const maxParts = 10_000;
/** Number of parts after which the part size doubles: the 10,000 parts that S3 allows then hold 8 TiB. */
const partsOfOneSize = 1000;

export interface Part {
  /** Starts at 1. */
  readonly number: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * The infinite sequence of parts of an upload; the position of a part depends on its number only. All have one size when
 * the size of the content is known, because some servers, as Cloudflare R2, require that.
 * @param smallest size of a part in bytes.
 * @param total size of the content in bytes; undefined while it is unknown, so that parts grow.
 */
export function* partsOf(smallest: number, total?: number): Generator<Part, never> {
  const factor = total === undefined ? 1 : Math.max(1, Math.ceil(total / (smallest * maxParts)));
  let offset = 0;
  for (let number = 1; ; number += 1) {
    const growth = total === undefined ? 2 ** Math.floor((number - 1) / partsOfOneSize) : factor;
    const length = smallest * growth;
    yield { number, offset, length };
    offset += length;
  }
}
