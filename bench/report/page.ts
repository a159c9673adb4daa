import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { machineLines, type Machine } from './machine.js';
import { replaceBetween } from './section.js';
import { figure } from './table.js';
import type { Row, Summary } from './summary.js';

const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const markers = {
  begin: '<!-- bench: `npm run bench -- --write` writes what follows -->',
  end: '<!-- end of bench -->',
};

/** All scenarios of one run, as `--json` keeps them. */
export interface Measured {
  readonly finishedAt: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly shrink: number;
  readonly scenarios: readonly (Summary & { readonly noise: readonly string[] })[];
}

/**
 * Writes the figures of one run to docs/performance.md.
 * @throws Error when something failed, was shrunk, or was measured on a noisy machine: the page then stays as it is
 */
export async function writePage(measured: Measured): Promise<string> {
  const unfit = unfitOf(measured);
  if (unfit.length > 0) throw new Error(`docs/performance.md stays as it is: ${unfit.join('; ')}`);
  const text = replaceBetween(await readFile(page, 'utf8'), markers, sectionOf(measured));
  await mkdir(dirname(page), { recursive: true });
  await writeFile(page, await format(text, { ...(await resolveConfig(page)), parser: 'markdown' }));
  return page;
}

/** Why figures are not to be published. */
export function unfitOf({ shrink, scenarios }: Measured): string[] {
  return [
    ...(shrink === 1 ? [] : [`sizes were divided by ${shrink}`]),
    ...scenarios.flatMap(({ name, failures, noise }) => [
      ...(failures.length > 0 ? [`${name} failed`] : []),
      ...(noise.length > 0 ? [`${name} was measured on a noisy machine`] : []),
    ]),
  ];
}

/** One table, with a line for each figure that is compared. */
export function sectionOf({ scenarios, machine, rounds, seconds, finishedAt }: Measured): string {
  const lines = scenarios.flatMap((summary) => [
    `| **${summary.name}**: ${summary.title} | | | |`,
    ...summary.rows.map((row) => `| ${row.label} ${row.better === 'more' ? '↑' : '↓'} | ${cellsOf(summary, row)} |`),
  ]);
  return [
    '| what | mirror | others | mirror ÷ each |',
    '| --- | --- | --- | --- |',
    ...lines,
    '',
    `${machineLines(machine).replace('\n', '; ')}; medians of rounds: ${rounds}; one run of wrk: ${seconds} s; ${finishedAt.slice(0, 10)}.`,
  ].join('\n');
}

function cellsOf({ peers }: Summary, { medians, ratios = [] }: Row): string {
  const others = peers.slice(1).map((peer, index) => `${figure(medians[index + 1]!)} (${peer})`);
  return [figure(medians[0]!), others.join('; '), ratios.map(ratioOf).join('; ')].join(' | ');
}

function ratioOf(ratio: number): string {
  return ratio >= 0.1 && Number.isFinite(ratio) ? ratio.toFixed(2) : figure(ratio);
}
