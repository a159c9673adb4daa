import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { mirrorVersion } from '../report/machine.js';
import { replaceBetween } from '../report/section.js';
import { Scope } from '../scope.js';
import { mirror, registry, type Subject } from './subject.js';
import { markdownOf, markers, type Comparison } from './table.js';
import { trials } from './trials/index.js';
import type { Trial } from './trial.js';

const page = fileURLToPath(new URL('../../docs/comparison.md', import.meta.url));
/** Where to get what is tried beside this program. */
const sources = {
  'registry 2.8': "Debian's package docker-registry",
  'registry 3': 'go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2',
} as const;
const usage = `Usage: npm run bench:comparison -- [options]

Tries what docs/comparison.md says of this program, registry 2.8 and registry 3, and prints the table.

  --registry2 PROGRAM  registry 2.8 (docker-registry): ${sources['registry 2.8']}
  --registry3 PROGRAM  registry 3 (registry): ${sources['registry 3']}
  --only WORDS         only rows that contain these words
  --write              writes the table to docs/comparison.md
`;

const scope = new Scope();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => void scope.close().then(() => process.exit(130)));
}

try {
  process.exitCode = await compare();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await scope.close();
}

async function compare(): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = { registry2: text, registry3: text, only: text, write: flag, help: { ...flag, short: 'h' } } as const;
  const {
    registry2 = 'docker-registry',
    registry3 = 'registry',
    only = '',
    write,
    help,
  } = parseArgs({ options }).values;
  if (help) {
    console.log(usage);
    return 0;
  }
  const subjects = [
    mirror(mirrorVersion()),
    ...installed('registry 2.8', registry2),
    ...installed('registry 3', registry3),
  ];
  const chosen = trials.filter(({ row }) => row.includes(only));
  const { comparison, failures } = await runAll(chosen, subjects);
  console.log(`${markdownOf(comparison)}\n`);
  for (const failure of failures) console.error(failure);
  if (write) await writePage(comparison, failures.length === 0 && only === '' && subjects.length === 3);
  return failures.length > 0 ? 1 : 0;
}

/** None, and a word about it, when it is not there. */
function installed(label: keyof typeof sources, program: string): Subject[] {
  const subject = registry(label, program);
  if (subject !== undefined) return [subject];
  console.error(`${label} is left out, there is no ${program}: ${sources[label]}`);
  return [];
}

async function runAll(chosen: readonly Trial[], subjects: readonly Subject[]) {
  const failures: string[] = [];
  const rows: Comparison['rows'][number][] = [];
  for (const trial of chosen) {
    const cells: string[] = [];
    for (const subject of subjects) {
      const cell = await run(trial, subject).catch((error: unknown) => {
        if (scope.isClosing) throw new Error('interrupted');
        failures.push(`${trial.row}: ${subject.label}: ${error instanceof Error ? error.message : String(error)}`);
        return 'failed';
      });
      console.error(`${trial.row}: ${subject.label}: ${cell}`);
      cells.push(cell);
    }
    rows.push({ row: trial.row, cells });
  }
  const day = new Date().toISOString().slice(0, 10);
  return { comparison: { programs: subjects, day, rows }, failures };
}

/** With everything of its own: upstream, process, folder. */
function run(trial: Trial, subject: Subject): Promise<string> {
  return scope.within(async (inner) => {
    const folder = await mkdtemp(join(tmpdir(), 'oci-registry-comparison-'));
    await inner.defer(() => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, 'content'));
    return trial.run({ subject, scope: inner, folder });
  });
}

async function writePage(comparison: Comparison, isWhole: boolean): Promise<void> {
  if (!isWhole) throw new Error('docs/comparison.md stays as it is: something was left out or failed');
  const text = replaceBetween(await readFile(page, 'utf8'), markers, markdownOf(comparison));
  await writeFile(page, await format(text, { ...(await resolveConfig(page)), parser: 'markdown' }));
}
