import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { draw } from './drawing.js';
import { charts } from './index.js';
import { replaceSection, sectionOf } from './page.js';
import { drawingOf, type ChartResult } from './result.js';

const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const results = fileURLToPath(new URL('../results', import.meta.url));
/** Relative to the page. */
const folder = 'charts';

/**
 * Writes the figures, the charts of those that did not fail, and the section of the page, when it has all its charts.
 * @param isMeasurement a try-out goes to bench/results only, and the page stays as it is.
 * @returns the files written
 */
export async function writeCharts(fresh: readonly ChartResult[], isMeasurement: boolean): Promise<string[]> {
  const name = isMeasurement ? 'charts' : 'charts-try-out';
  const figures = join(results, `${name}.json`);
  const known = await earlierResults(figures);
  const all = charts.flatMap((chart) => {
    const result = [...fresh, ...known].find((candidate) => candidate.name === chart.name);
    return result === undefined ? [] : [result];
  });
  const written = [await write(figures, `${JSON.stringify(all, null, 2)}\n`)];
  const pictures = isMeasurement ? join(dirname(page), folder) : join(results, name);
  const sound = all.filter(({ failures }) => failures.length === 0);
  for (const result of sound) {
    if (fresh.includes(result))
      written.push(await write(join(pictures, `${result.name}.svg`), draw(drawingOf(result))));
  }
  if (sound.length < charts.length) return written;
  const text = replaceSection(await readFile(page, 'utf8'), sectionOf(sound, folder));
  const target = isMeasurement ? page : join(pictures, 'performance.md');
  const formatted = await format(text, { ...(await resolveConfig(page)), parser: 'markdown' });
  return [...written, await write(target, formatted)];
}

/** Of charts that are not measured again this time. */
async function earlierResults(file: string): Promise<ChartResult[]> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ChartResult[];
  } catch {
    return [];
  }
}

async function write(file: string, content: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}
