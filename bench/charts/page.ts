import { machineLines } from '../report/machine.js';
import { replaceBetween } from '../report/section.js';
import { sentenceOf, tableRows, type ChartResult } from './result.js';

const begin = '<!-- charts: `npm run bench -- --charts` writes what follows -->';
const end = '<!-- end of charts -->';

/** The section of a page that refers to the charts and gives their figures; `folder` is where they are from there. */
export function sectionOf(results: readonly ChartResult[], folder: string): string {
  return results
    .flatMap((result) => [
      `### ${result.title}`,
      '',
      `${sentenceOf(result)} ${askedFor(result)}`,
      '',
      `![${result.title}: throughput and memory of ${result.peers.join(' and ')}](${folder}/${result.name}.svg)`,
      '',
      ...tableRows(result),
      '',
      `${machineLines(result.machine).replace('\n', '; ')}; medians of rounds: ${result.rounds}, each of ${result.seconds} s or more; ${result.finishedAt.slice(0, 10)}.`,
      '',
    ])
    .join('\n');
}

function askedFor({ work, why }: ChartResult): string {
  return `Asked for: ${work}${why === undefined ? '' : ` (${why})`}.`;
}

/** Puts a section between the two markers of a page. @throws Error when they are not there */
export function replaceSection(page: string, section: string): string {
  return replaceBetween(page, { begin, end }, section);
}
