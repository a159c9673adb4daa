import { summarize, type Summary } from '../report/summary.js';
import type { Machine } from '../report/machine.js';
import { runScenario, type Plan } from '../run.js';
import { memory, type Chart } from './chart.js';
import type { ChartResult, PointResult } from './result.js';

/** Measures the points of a chart; the first that fails ends it. */
export async function runChart(chart: Chart, plan: Plan, machine: Machine): Promise<ChartResult> {
  const peers = ['mirror', 'docker-registry'] as const;
  const points: PointResult[] = [];
  const failures: string[] = [];
  for (const { x, label, scenario } of chart.points) {
    const summary = summarize(await runScenario(scenario, { ...plan, peers }));
    failures.push(...summary.failures.map((failure) => `${label}: ${failure}`));
    if (failures.length > 0) break;
    points.push({ x, label, ...valuesOf(summary) });
  }
  const { rounds, seconds } = plan;
  const finishedAt = new Date().toISOString();
  return { ...chart, memory, peers, points, failures, finishedAt, machine, rounds, seconds };
}

function valuesOf({ rows }: Summary): Pick<PointResult, 'throughput' | 'peakMiB' | 'rounds'> {
  const [throughput, peak] = [
    rows.find(({ key }) => key === 'throughput')!,
    rows.find(({ key }) => key === 'peakMiB')!,
  ];
  return {
    throughput: throughput.medians,
    peakMiB: peak.medians,
    rounds: { throughput: throughput.rounds, peakMiB: peak.rounds },
  };
}
