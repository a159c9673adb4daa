/** One number, with its labels' values in the order of the metric's label names. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number;
}

/** A metric as `/metrics` and its documentation show it. */
export interface Metric<Source> {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
  /** Reads the samples on each scrape; events only change plain counts. */
  readonly read: (source: Source) => Iterable<Sample>;
}

/** A histogram, whose samples have names of their own. */
export interface HistogramMetric<Source> {
  readonly name: string;
  readonly type: 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly bounds: readonly number[];
  readonly read: (source: Source) => Iterable<Distribution>;
}

export interface Distribution {
  readonly labels: readonly string[];
  /** Observations per bucket; the last one is for those above all bounds. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

export type AnyMetric<Source> = Metric<Source> | HistogramMetric<Source>;

/** What prom-client's registry expects of a metric. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly FamilyValue[];
}

interface FamilyValue {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export function familyOf<Source>(metric: AnyMetric<Source>, source: Source): Family {
  const { name, help, type } = metric;
  if (metric.type === 'histogram') {
    const values = [...metric.read(source)].flatMap((distribution) => bucketsOf(metric, distribution));
    return { name, help, type, values };
  }
  const values = [...metric.read(source)].map(({ labels, value }) => ({ labels: named(metric.labels, labels), value }));
  return { name, help, type, values };
}

function bucketsOf<Source>(
  { name, labels: names, bounds }: HistogramMetric<Source>,
  { labels: texts, counts, sum }: Distribution,
): FamilyValue[] {
  const labels = named(names, texts);
  let count = 0;
  const buckets = [...bounds, '+Inf'].map((le, index) => {
    count += counts[index] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

function named(names: readonly string[], texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']));
}
