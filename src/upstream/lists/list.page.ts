import type { HeldBody } from '../transport/body.js';
import type { LongBody } from '../transport/long.body.js';

export interface ListPage {
  /** The caller hands the hold over or releases it, or closes the long body. */
  readonly content: HeldBody | LongBody;
  /** Target of the upstream's link to the next page, verbatim. */
  readonly next: string | undefined;
}
