import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { charts } from './charts/index.js';
import { chartLines, type ChartResult } from './charts/result.js';
import { runChart } from './charts/run-charts.js';
import { writeCharts } from './charts/write-charts.js';
import { Library } from './content/library.js';
import { parseOptions, usage, UsageError, type Options } from './options.js';
import { startRegistry } from './peers/docker-registry.peer.js';
import { describeMachine, machineLines, type Machine } from './report/machine.js';
import { measureQuietly } from './report/noise.js';
import { writePage, type Measured } from './report/page.js';
import { summarize } from './report/summary.js';
import { tableOf } from './report/table.js';
import { runScenario, type Plan } from './run.js';
import { scenarios } from './scenarios/index.js';
import type { Scenario } from './scenarios/scenario.js';
import { Scope } from './scope.js';

const exitCodes = { fine: 0, failed: 1, usage: 2, boundMissed: 3, noisy: 4, interrupted: 130 } as const;

const scope = new Scope();
const namedCharts = charts.map(({ name, title }) => ({ name, title, byDefault: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => void scope.close().then(() => process.exit(exitCodes.interrupted)));
}

try {
  const options = parseOptions(process.argv.slice(2), scenarios, namedCharts);
  if (options === 'help') console.log(usage(scenarios, namedCharts));
  else process.exitCode = await (options.charts ? drawCharts(options) : bench(options));
} catch (error) {
  process.exitCode = report(error);
} finally {
  await scope.close();
}

function report(error: unknown): number {
  if (scope.isClosing) return exitCodes.interrupted;
  if (error instanceof UsageError) {
    console.error(error.message);
    return exitCodes.usage;
  }
  console.error(error instanceof Error ? error.message : error);
  return exitCodes.failed;
}

async function bench(options: Options): Promise<number> {
  const chosen = chosenScenarios(options);
  const machine = describeMachine(options.node);
  const plan = await prepare(options);
  console.log(heading(machine, options));
  const measured: Measured['scenarios'][number][] = [];
  for (const scenario of chosen) {
    const measure = async () => summarize(await runScenario(scenario, plan));
    const { summary, noise } = await measureQuietly(measure, plan.progress);
    console.log(`${tableOf(summary)}\n${noise.map((line) => `\nNoisy machine: ${line}\n`).join('')}`);
    measured.push({ ...summary, noise });
  }
  const { rounds, seconds, shrink } = options;
  const run = { finishedAt: new Date().toISOString(), machine, rounds, seconds, shrink, scenarios: measured };
  await writeJson(options.json, run);
  if (options.write) console.log(`Written: ${await writePage(run)}`);
  return exitCodeOf(measured);
}

async function drawCharts(options: Options): Promise<number> {
  const machine = describeMachine(options.node);
  const plan = await prepare(options);
  console.log(heading(machine, options));
  const results: ChartResult[] = [];
  for (const chart of charts.filter(({ name }) => options.scenarios.includes(name))) {
    const result = await runChart(chart, plan, machine);
    results.push(result);
    console.log(`${chartLines(result)}\n`);
  }
  for (const file of await writeCharts(results, options.shrink === 1)) console.log(`Written: ${file}`);
  return results.some(({ failures }) => failures.length > 0) ? exitCodes.failed : exitCodes.fine;
}

function heading(machine: Machine, { rounds, seconds, shrink }: Options): string {
  const tryOut = shrink > 1 ? `\na try-out, shrunk by ${shrink}: not a measurement` : '';
  return `${machineLines(machine)}\nmedians of rounds: ${rounds}; one run of wrk: ${seconds} s${tryOut}\n`;
}

/** Those in which one of the chosen peers can take part. @throws UsageError when there are none. */
function chosenScenarios(options: Options): Scenario[] {
  const named = scenarios.filter(({ name }) => options.scenarios.includes(name));
  const chosen = named.filter(({ peers }) => peers.some((peer) => options.peers.includes(peer)));
  if (chosen.length === 0) throw new UsageError('none of the peers can take part in any of the scenarios');
  return chosen;
}

/** Starts the source registry, whose content every peer serves. */
async function prepare(options: Options): Promise<Plan> {
  const folder = await mkdtemp(join(tmpdir(), 'oci-registry-bench-'));
  await scope.defer(() => rm(folder, { recursive: true, force: true }));
  const storage = join(folder, 'storage');
  const source = (await startRegistry(scope, { folder, storage })).origin;
  const progress = (line: string): void => console.error(line);
  return { ...options, scope, folder, source, storage, library: new Library(source), progress };
}

async function writeJson(file: string, results: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`Every round: ${file}`);
}

function exitCodeOf(summaries: Measured['scenarios']): number {
  if (summaries.some(({ failures }) => failures.length > 0)) return exitCodes.failed;
  if (summaries.some(({ noise }) => noise.length > 0)) return exitCodes.noisy;
  const missed = summaries.some(({ rows }) => rows.some(({ bound }) => bound?.met === false));
  return missed ? exitCodes.boundMissed : exitCodes.fine;
}
