import type { Machine } from '../report/machine.js';
import { figure } from '../report/table.js';
import { withUnit, type Chart, type Quantity } from './chart.js';
import type { Drawing } from './drawing.js';

/** What was measured for one chart. */
export interface ChartResult extends Omit<Chart, 'points'> {
  readonly memory: Quantity;
  readonly peers: readonly string[];
  readonly points: readonly PointResult[];
  /** When there are any, there is no chart. */
  readonly failures: readonly string[];
  readonly finishedAt: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
}

export interface PointResult {
  readonly x: number;
  readonly label: string;
  /** Medians of the rounds, one for each peer; so is the memory, in MiB. */
  readonly throughput: readonly number[];
  readonly peakMiB: readonly number[];
  /** What each round gave, for each peer. */
  readonly rounds: {
    readonly throughput: readonly (readonly number[])[];
    readonly peakMiB: readonly (readonly number[])[];
  };
}

export function drawingOf(result: ChartResult): Drawing {
  const { title, axis, points, peers, throughput, memory } = result;
  const lines = (key: 'throughput' | 'peakMiB') => peers.map((_, peer) => points.map((point) => point[key][peer]!));
  return {
    title,
    description: `${result.work}. ${sentenceOf(result)}`,
    axis: `${axis}, logarithmic`,
    xs: points.map(({ x, label }) => ({ value: x, label })),
    series: peers,
    panels: [
      { label: withUnit(throughput), scale: throughput.scale, lines: lines('throughput') },
      { label: withUnit(memory), scale: memory.scale, lines: lines('peakMiB') },
    ],
  };
}

/** What becomes of the peers from the first point to the last. */
export function sentenceOf({ axis, points, peers, throughput, memory }: ChartResult): string {
  const [first, last] = [points[0]!, points.at(-1)!];
  const courses = peers.map((name, peer) => {
    const course = (key: 'throughput' | 'peakMiB') => `${figure(first[key][peer]!)} → ${figure(last[key][peer]!)}`;
    return `${name} ${course('throughput')} ${throughput.unit} in ${course('peakMiB')} ${memory.unit}`;
  });
  const what = `${throughput.label} and ${memory.label}`;
  return `${axis[0]!.toUpperCase()}${axis.slice(1)} from ${first.label} to ${last.label}, ${what}: ${courses.join('; ')}.`;
}

/** Rows of a Markdown table: throughput and memory of each peer, and the first divided by the second. */
export function tableRows({ axis, points, peers, throughput, memory }: ChartResult): string[] {
  const quotient = `${peers[0] ?? ''} ÷ ${peers[1] ?? ''}`;
  const columns = [throughput.unit, `peak ${memory.unit}`].flatMap((unit) => [
    ...peers.map((name) => `${name}, ${unit}`),
    quotient,
  ]);
  const cells = points.map((point) => [
    point.label,
    ...[point.throughput, point.peakMiB].flatMap((values) => [
      ...values.map(figure),
      (values[0]! / values[1]!).toFixed(2),
    ]),
  ]);
  const rule = ['---', ...columns.map(() => '--:')];
  return [[axis, ...columns], rule, ...cells].map((row) => `| ${row.join(' | ')} |`);
}

/** The chart in figures, or what failed instead of it. */
export function chartLines(result: ChartResult): string {
  const title = `### ${result.name}: ${result.work}`;
  const { failures } = result;
  const lines =
    failures.length === 0
      ? tableRows(result)
      : ['FAILED, so there is no chart:', '', ...failures.map((failure) => `- ${failure}`)];
  return [title, '', ...lines].join('\n');
}
