import { parseArgs } from 'node:util';
import { isPeerName, peerNames, type PeerName } from './peers/peer.js';

export interface Options {
  readonly rounds: number;
  /** Length of one run of wrk. */
  readonly seconds: number;
  /** What the other sizes and lengths of time are divided by; above 1 nothing is a measurement. */
  readonly shrink: number;
  /** Draw charts instead of comparing scenarios; `scenarios` are then names of charts. */
  readonly charts: boolean;
  /** Write what was measured to docs/performance.md. */
  readonly write: boolean;
  readonly scenarios: readonly string[];
  readonly peers: readonly PeerName[];
  /** The Node binary that runs the mirror. */
  readonly node: string;
  readonly json: string;
}

export interface NamedScenario {
  readonly name: string;
  readonly title: string;
  readonly byDefault: boolean;
}

/** A mistake on the command line, told without a stack trace. */
export class UsageError extends Error {}

export const defaultResults = 'bench/results/latest.json';

/** @throws UsageError */
export function parseOptions(
  args: readonly string[],
  scenarios: readonly NamedScenario[],
  charts: readonly NamedScenario[],
): Options | 'help' {
  const values = parseFlags(args);
  if (values.help === true) return 'help';
  return {
    rounds: parseCount('rounds', values.rounds ?? '5'),
    seconds: parseCount('seconds', values.seconds ?? '10'),
    shrink: parseCount('shrink', values.shrink ?? '1'),
    charts: values.charts === true,
    write: values.write === true,
    scenarios: parseScenarios(values.scenario, values.charts === true ? charts : scenarios),
    peers: parsePeers(values.peers ?? peerNames.join()),
    node: values.node ?? process.execPath,
    json: values.json ?? defaultResults,
  };
}

export function usage(scenarios: readonly NamedScenario[], charts: readonly NamedScenario[]): string {
  return `Usage: npm run bench -- [options]

  --rounds N          runs per peer and scenario (5)
  --seconds N         length of one run of wrk (10)
  --charts            draws how mirror and docker-registry do as work grows, instead of comparing scenarios;
                      --scenario then names charts, and --peers and --json say nothing
  --write                 writes the figures to docs/performance.md, unless a scenario failed or the machine was noisy
  --shrink N          divides sizes, counts and lengths that have no option of their own (1), for a try-out
  --scenario A,B      scenarios, or "all"; without it those that are not marked below
  --peers A,B         of ${peerNames.join(', ')} (all);
                      the first is divided by the others; a peer named twice shows the machine's noise
  --node PATH         the Node binary that runs the mirror (the one that runs the benchmark)
  --json FILE         where the results go (${defaultResults})

Scenarios:
${linesOf(scenarios)}

Charts:
${linesOf(charts)}
`;
}

function linesOf(scenarios: readonly NamedScenario[]): string {
  return scenarios
    .map(({ name, title, byDefault }) => `  ${name.padEnd(23)}${title}${byDefault ? '' : ' (not by default)'}`)
    .join('\n');
}

function parseFlags(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    const options = {
      help: { type: 'boolean', short: 'h' },
      charts: { type: 'boolean' },
      write: { type: 'boolean' },
      rounds: text,
      seconds: text,
      shrink: text,
      scenario: text,
      peers: text,
      node: text,
      json: text,
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parseCount(name: string, value: string): number {
  if (!/^[1-9]\d{0,4}$/.test(value)) throw new UsageError(`--${name} must be a whole number from 1 to 99999`);
  return Number(value);
}

function parseList(value: string): string[] {
  return value.split(',').map((item) => item.trim());
}

function parseScenarios(value: string | undefined, scenarios: readonly NamedScenario[]): string[] {
  if (value === undefined) return scenarios.filter(({ byDefault }) => byDefault).map(({ name }) => name);
  if (value === 'all') return scenarios.map(({ name }) => name);
  const chosen = parseList(value);
  const unknown = chosen.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new UsageError(`--scenario: unknown: ${unknown.join(', ')}`);
  return chosen;
}

function parsePeers(value: string): PeerName[] {
  return parseList(value).map((name) => {
    if (!isPeerName(name)) throw new UsageError(`--peers: unknown: ${name}`);
    return name;
  });
}
