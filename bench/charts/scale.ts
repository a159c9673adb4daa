/** Places values between two ends of an axis. */
export interface Scale {
  /** Pixels from the beginning of the axis. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** From 0 to the first round number that is not below the highest value, over `length` pixels. */
export function linearScale(values: readonly number[], length: number): Scale {
  const highest = Math.max(...values) || 1;
  const step = roundStep(highest / 4);
  const count = Math.ceil(highest / step - 1e-9);
  return {
    at: (value) => (value / (count * step)) * length,
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
  };
}

/** From the power of ten below the lowest value to the one above the highest, over `length` pixels. @param values above 0 */
export function decadeScale(values: readonly number[], length: number): Scale {
  const from = Math.floor(Math.log10(Math.min(...values)));
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  return {
    at: (value) => ((Math.log10(value) - from) / (to - from)) * length,
    ticks: Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index)),
  };
}

/** From the lowest value to the highest on a logarithmic axis, over `length` pixels; the values are the ticks. */
export function logScale(values: readonly number[], length: number): Scale {
  const [from, to] = [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))];
  return { at: (value) => (to === from ? 0.5 : (Math.log10(value) - from) / (to - from)) * length, ticks: values };
}

/** 1, 2 or 5 times a power of ten, not below the step that is asked for. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((times) => times * power >= least * (1 - 1e-9)) ?? 10) * power;
}
