import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { markdownOf, markers } from '../../../bench/comparison/table.js';
import { trials } from '../../../bench/comparison/trials/index.js';
import { textBetween } from '../../../bench/report/section.js';

const programs = ['this program', 'registry 2.8', 'registry 3'];

/** The cells of a Markdown table, without its rule. */
const cellsOf = (lines: readonly string[]): string[][] =>
  lines
    .filter((line) => !/^\|[ :|-]+\|$/.test(line))
    .map((line) => line.slice(1, -1).split('|'))
    .map((cells) => cells.map((cell) => cell.trim()));

const tableOf = (text: string): string[][] => cellsOf(text.split('\n').filter((line) => line.startsWith('|')));

describe('docs/comparison.md', () => {
  let page: string;
  beforeAll(async () => {
    page = await readFile('docs/comparison.md', 'utf8');
  });

  it('has a row for each trial of the script, with a result for each program', () => {
    const block = textBetween(page, markers);
    const [header, ...rows] = tableOf(block);
    expect(header).toEqual(['', ...programs]);
    expect(rows.map(([row]) => row)).toEqual(trials.map(({ row }) => row));
    expect(rows.flat().filter((cell) => cell === '' || cell === 'failed')).toEqual([]);
    expect(block.split('\n').at(-1)).toMatch(
      /^this program [^,]+, registry 2\.8 2\.8\.\S+, registry 3 v3\.\S+; \d{4}-\d\d-\d\d\.$/,
    );
  });

  it('links every other statement about a program to its source, or says that it is not known', () => {
    const sections = page.replace(textBetween(page, markers), '').split(/^## /m).slice(1);
    const cited = sections.filter((section) => !section.startsWith('In one line each'));
    const cells = cited.flatMap(tableOf).flatMap((row) => (row[0] === '' ? [] : row.slice(1)));
    expect(cells.length).toBeGreaterThan(100);
    const isCited = (cell: string): boolean => cell === 'not known' || /\]\(\S+\)/.test(cell);
    expect(cells.filter((cell) => !isCited(cell))).toEqual([]);
  });
});

describe('the table of the comparison', () => {
  it('has a column for each program, and says which versions were run when', () => {
    const comparison = {
      programs: [
        { label: 'one', version: '1.0' },
        { label: 'other', version: '2.0' },
      ],
      day: '2026-11-29',
      rows: [{ row: 'A stored tag', cells: ['served', '500'] }],
    };
    expect(markdownOf(comparison).split('\n')).toEqual([
      '|  | one | other |',
      '| --- | --- | --- |',
      '| A stored tag | served | 500 |',
      '',
      'one 1.0, other 2.0; 2026-11-29.',
    ]);
  });
});
