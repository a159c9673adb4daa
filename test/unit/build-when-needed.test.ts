import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = resolve('scripts/build-when-needed.mjs');

describe('npm start', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oci-registry-start-'));
    await mkdir(join(folder, 'src'));
    await mkdir(join(folder, 'dist'));
    await writeFile(join(folder, 'src/main.ts'), '');
    await writeFile(join(folder, 'package.json'), '{"scripts":{"build":"echo built > built"}}');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const start = () => promisify(execFile)(process.execPath, [script], { cwd: folder });

  it('says that it builds, and why, before it does', async () => {
    expect((await start()).stderr).toMatch(/^Building oci-registry, because there is no build yet\./);
    await writeFile(join(folder, 'dist/main.js'), '');
    await utimes(join(folder, 'dist/main.js'), 1, 1);
    expect((await start()).stderr).toMatch(/^Building oci-registry, because the source is newer than the build\./);
  });

  it('says nothing when there is nothing to build', async () => {
    await writeFile(join(folder, 'dist/main.js'), '');
    await utimes(join(folder, 'dist/main.js'), Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    expect(await start()).toEqual({ stdout: '', stderr: '' });
  });
});
