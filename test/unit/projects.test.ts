import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

interface Listed {
  readonly file: string;
  readonly projectName: string;
}

const scripts = Object.entries(
  (JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }).scripts,
).filter(([name]) => /^test(:|$)/.test(name));

const testFiles = ['src', 'test']
  .flatMap((root) => readdirSync(root, { recursive: true, encoding: 'utf8' }).map((file) => join(root, file)))
  .filter((file) => /[.]test[.]tsx?$/.test(file));

describe('the projects of vitest.config.ts', () => {
  let listed: Listed[];
  beforeAll(async () => {
    const args = [resolve('node_modules/vitest/vitest.mjs'), 'list', '--filesOnly', '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 });
    listed = JSON.parse(stdout) as Listed[];
  }, 60_000);

  it('have each test file once', () => {
    // Those of `framework` run a second time.
    const once = listed.filter(({ projectName }) => projectName !== 'framework').map(({ file }) => relative('', file));
    expect(testFiles.length).toBeGreaterThan(400);
    expect(once.sort()).toEqual(testFiles.sort());
  });

  it('are run by a script each, which the gate runs', () => {
    const run = scripts.flatMap(([, command]) => [...command.matchAll(/--project (\S+)/g)].map(([, name]) => name));
    expect(run.sort()).toEqual([...new Set(listed.map(({ projectName }) => projectName))].sort());
    const gate = readFileSync('.ci/run', 'utf8');
    for (const [name] of scripts)
      expect(gate).toContain(name === 'test' ? 'npm test --silent --' : `npm run --silent ${name} --`);
  });
});
