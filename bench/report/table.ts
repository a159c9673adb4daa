import type { Row, Summary } from './summary.js';

/** The summary as a Markdown table that also reads well as it is; what failed instead of it when something did. */
export function tableOf(summary: Summary): string {
  const title = `### ${summary.name}: ${summary.title}`;
  if (summary.failures.length > 0) {
    return [
      title,
      '',
      'FAILED, so nothing is compared:',
      '',
      ...summary.failures.map((failure) => `- ${failure}`),
    ].join('\n');
  }
  const bounded = summary.rows.some(({ bound }) => bound !== undefined);
  return [title, '', ...align([headerOf(summary, bounded), ...summary.rows.map((row) => cellsOf(row, bounded))])].join(
    '\n',
  );
}

function headerOf({ peers }: Summary, bounded: boolean): string[] {
  const ratios = peers.slice(1).map((other) => `${peers[0]!} ÷ ${other}`);
  return ['', ...peers, ...ratios, ...(bounded ? ['mirror must reach'] : [])];
}

function cellsOf(row: Row, bounded: boolean): string[] {
  return [
    `${row.label} ${row.better === 'more' ? '↑' : '↓'}`,
    ...row.medians.map(figure),
    ...(row.ratios ?? []).map((ratio) => (ratio >= 0.1 ? ratio.toFixed(2) : figure(ratio))),
    ...(bounded ? [verdictOf(row)] : []),
  ];
}

function verdictOf({ bound, better }: Row): string {
  if (bound === undefined) return '';
  const limit = `${better === 'less' ? '≤' : '≥'} ${figure(bound.limit)}`;
  return bound.met ? `${limit}: yes` : `${limit}: NO, ${bound.over} ${figure(bound.value)}`;
}

/** Three significant digits, and every digit of a large number before the point. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.min(digits, 4));
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)));
    return `| ${cells.join(' | ')} |`;
  });
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [lines[0]!, rule, ...lines.slice(1)];
}
