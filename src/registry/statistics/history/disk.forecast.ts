/** Milliseconds of a day. */
const day = 86_400_000;
/** Days of the past that a forecast rests on. */
const past = 7;
/** Days ahead after which a forecast says nothing. */
const horizon = 365;

/** Bytes stored at a moment, in milliseconds since 1970. */
export type DiskSample = readonly [at: number, bytes: number];

export interface DiskForecast {
  /** Bytes a day, negative when less and less is stored. */
  readonly growth: number;
  /** When the quota will be reached if it goes on like this, milliseconds since 1970. */
  readonly fullAt?: number;
}

/** A straight line through the last week. Undefined when less than a day is known. */
export function forecastOf(samples: readonly DiskSample[], quota: number | undefined): DiskForecast | undefined {
  const last = samples.at(-1);
  if (!last) return undefined;
  const [now, bytes] = last;
  const recent = samples.filter(([at]) => at > now - past * day && at <= now);
  const [first] = recent;
  if (recent.length < 3 || first === undefined || now - first[0] < day) return undefined;
  const growth = Math.round(slopeOf(recent) * day);
  const days = quota === undefined || growth <= 0 ? Infinity : Math.max(0, quota - bytes) / growth;
  return { growth, ...(days <= horizon && { fullAt: Math.round(now + days * day) }) };
}

/** By least squares, bytes a millisecond. */
function slopeOf(samples: readonly DiskSample[]): number {
  const meanOf = (index: 0 | 1) => samples.reduce((sum, sample) => sum + sample[index], 0) / samples.length;
  const [meanAt, meanBytes] = [meanOf(0), meanOf(1)];
  let product = 0;
  let square = 0;
  for (const [at, bytes] of samples) {
    product += (at - meanAt) * (bytes - meanBytes);
    square += (at - meanAt) ** 2;
  }
  return square === 0 ? 0 : product / square;
}
