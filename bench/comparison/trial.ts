import type { Setting } from './stand.js';

/** One row: what somebody who chooses a mirror wants to know, found out by trying. */
export interface Trial {
  readonly row: string;
  /** @returns the cell, in a few words */
  run(setting: Setting): Promise<string>;
}
