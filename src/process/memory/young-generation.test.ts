import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const module = fileURLToPath(new URL('young-generation.ts', import.meta.url));

/** Prints the size of the young generation after a pause and after much that lived for a short time, in MiB. */
const program = `
  import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { growUnderLoad } from ${JSON.stringify(module)};
  setFlagsFromString('--semi-space-growth-factor=1');
  const size = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size / 1024 / 1024;
  const kept = [];
  const allocate = async (times, pause) => {
    for (let time = 0, at = 0; time < times; time += 1) {
      for (let each = 0; each < 2_000; each += 1) kept[at++ % 20_000] = { at, list: [at, each] };
      await sleep(pause);
    }
  };
  await allocate(200, 0);
  const fixed = size();
  growUnderLoad();
  await allocate(4, 300);
  const atRest = size();
  await allocate(1_000, 0);
  console.log(JSON.stringify({ fixed, atRest, underLoad: size() }));
`;

test('the young generation grows while it is collected often, within its bound', async () => {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program]);
  const { fixed, atRest, underLoad } = JSON.parse(stdout) as Record<'fixed' | 'atRest' | 'underLoad', number>;
  expect(fixed).toBeLessThanOrEqual(4);
  expect(atRest).toBe(fixed);
  expect(underLoad).toBeGreaterThanOrEqual(8);
  expect(underLoad).toBeLessThanOrEqual(16);
});
