import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { build } from './support/program.js';

const dist = join(import.meta.dirname, '../../dist');

beforeAll(build, 180_000);

// In a process of its own, where nothing else has loaded what it needs.
test.each([
  ['app.factory.js', 'createApp'],
  ['storage/index.js', 'StorageProvider'],
])('the built %s can be imported alone', async (file, name) => {
  const script = `import * as all from ${JSON.stringify(join(dist, file))}; console.log(typeof all.${name});`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout.trim()).toBe('function');
});

test('the program chooses the options of V8 before it imports anything', async () => {
  expect(await readFile(join(dist, 'main.js'), 'utf8')).not.toMatch(/\bfrom ?["']\./);
});
