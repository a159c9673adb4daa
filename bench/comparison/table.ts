import type { Markers } from '../report/section.js';

export const markers: Markers = {
  begin: '<!-- comparison: `npm run bench:comparison -- --write` writes what follows -->',
  end: '<!-- end of comparison -->',
};

/** The output of the script: which programs, on which day, and one row for each trial. */
export interface Comparison {
  readonly programs: readonly { readonly label: string; readonly version: string }[];
  /** YYYY-MM-DD. */
  readonly day: string;
  readonly rows: readonly { readonly row: string; readonly cells: readonly string[] }[];
}

export function markdownOf({ programs, day, rows }: Comparison): string {
  const header = ['', ...programs.map(({ label }) => label)];
  const lines = [header, header.map(() => '---'), ...rows.map(({ row, cells }) => [row, ...cells])];
  const versions = programs.map(({ label, version }) => `${label} ${version}`).join(', ');
  return [...lines.map((cells) => `| ${cells.join(' | ')} |`), '', `${versions}; ${day}.`].join('\n');
}
