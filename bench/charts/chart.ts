import type { Scenario, Setting, Stage } from '../scenarios/scenario.js';

/** How throughput and memory change along one quantity. */
export interface Chart {
  /** Also the name of its file. */
  readonly name: string;
  readonly title: string;
  /** What grows, with its unit. */
  readonly axis: string;
  /** What is asked for. */
  readonly work: string;
  /** Why it is that. */
  readonly why?: string;
  readonly throughput: Quantity;
  readonly points: readonly ChartPoint[];
}

export interface Quantity {
  readonly label: string;
  readonly unit: string;
  readonly scale: 'linear' | 'log';
}

export interface ChartPoint {
  readonly x: number;
  readonly label: string;
  /** Measured on freshly started peers; gives `throughput` and `peakMiB`. */
  readonly scenario: Scenario;
}

export const memory: Quantity = { label: 'peak resident size', unit: 'MiB', scale: 'linear' };

/** Every chart has the same two peers, side by side in the same run. */
export function pointScenario(
  chart: string,
  label: string,
  throughput: Quantity,
  open: (setting: Setting) => Promise<Stage>,
): Scenario {
  return {
    name: `${chart}-${label.replace(/[^\w]+/g, '')}`,
    title: label,
    byDefault: false,
    peers: ['mirror', 'docker-registry'],
    metrics: [
      { key: 'throughput', label: withUnit(throughput), better: 'more' },
      { key: 'peakMiB', label: withUnit(memory), better: 'less' },
    ],
    open,
  };
}

export function withUnit({ label, unit }: Quantity): string {
  return `${label}, ${unit}`;
}
