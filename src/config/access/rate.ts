import { parseDuration } from '../values/duration.js';
import { parseSize } from '../values/size.js';

/** So much in a span of time. */
export interface Rate {
  readonly most: number;
  /** Milliseconds. */
  readonly span: number;
  /** As it was written: `100/1h`. */
  readonly text: string;
}

/** Reads `100/1h`; undefined for anything else. */
export function parseRate(text: string): Rate | undefined {
  return parse(text, (most) => (/^\d{1,9}$/.test(most) ? Number(most) : undefined));
}

/** Reads `50GiB/1d`; undefined for anything else. */
export function parseByteRate(text: string): Rate | undefined {
  return parse(text, parseSize);
}

function parse(text: string, readMost: (text: string) => number | undefined): Rate | undefined {
  const [count = '', time = '', ...more] = text.split('/').map((part) => part.trim());
  const [most, span] = [readMost(count), parseDuration(time)];
  if (most === undefined || span === undefined || span < 1000 || most < 1 || more.length > 0) return undefined;
  return { most, span, text: `${count}/${time}` };
}
