import type { Contestant, Outcome } from '../run.js';
import type { Bound, Metric } from '../scenarios/scenario.js';

export interface Summary {
  readonly name: string;
  readonly title: string;
  readonly peers: readonly string[];
  readonly rows: readonly Row[];
  /** When there are any, no row has ratios. */
  readonly failures: readonly string[];
}

export interface Row {
  readonly key: string;
  readonly label: string;
  readonly better: 'more' | 'less';
  /** One for each peer. */
  readonly medians: readonly number[];
  /** What each round gave, for each peer. */
  readonly rounds: readonly (readonly number[])[];
  /** The first peer divided by each of the others; NaN of differences. */
  readonly ratios?: readonly number[];
  readonly bound?: Verdict;
}

/** How the mirror did against what it must reach. */
export interface Verdict extends Bound {
  readonly value: number;
  readonly met: boolean;
}

export function summarize({ scenario, contestants, failures }: Outcome): Summary {
  return {
    name: scenario.name,
    title: scenario.title,
    peers: contestants.map(({ label }) => label),
    rows: scenario.metrics.map((metric) => rowOf(metric, contestants, failures.length === 0)),
    failures,
  };
}

function rowOf(metric: Metric, contestants: readonly Contestant[], sound: boolean): Row {
  const rounds = contestants.map((contestant) => valuesOf(metric, contestant));
  const medians = rounds.map(median);
  const mirror = contestants.findIndex(({ name }) => name === 'mirror');
  const { key, label, better, bound, isDifference = false } = metric;
  const ratio = (other: number): number => (isDifference ? Number.NaN : medians[0]! / other);
  return {
    ...{ key, label, better, medians, rounds },
    ...(sound && medians.length > 1 && { ratios: medians.slice(1).map(ratio) }),
    ...(sound && mirror >= 0 && bound !== undefined && { bound: judge(bound, better, rounds[mirror]!) }),
  };
}

function valuesOf({ key }: Metric, { samples }: Contestant): number[] {
  return samples.flatMap(({ values }) => values[key] ?? []);
}

function judge(bound: Bound, better: 'more' | 'less', values: readonly number[]): Verdict {
  const worst = better === 'less' ? Math.max(...values) : Math.min(...values);
  const value = bound.over === 'worst' ? worst : median(values);
  return { ...bound, value, met: better === 'less' ? value <= bound.limit : value >= bound.limit };
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}
