import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';
import { CuttingProxy } from './support/cutting-proxy.js';
import { layoutFiles, writeTar } from './support/layout.js';

beforeAll(build, 180_000);

const image = makeImage({ layers: [8_000_000], seed: 'interrupted' });

async function interrupted(server: string, ...args: readonly string[]): Promise<Program> {
  await using proxy = await CuttingProxy.start(server, 1, 3_000_000, true);
  const program = Program.spawn([args[0]!, '--server', proxy.url, ...args.slice(1)]);
  await until('the transfer stalls', () => proxy.cut === 1, 30_000);
  program.kill('SIGINT');
  expect(await program.end).toMatchObject({ code: 130 });
  expect(program.stderr).toBe('interrupted\n');
  return program;
}

it(
  'an interrupted import or export leaves nothing behind, and is done by the next one',
  { timeout: 120_000 },
  async () => {
    await using hosting = await Hosting.start();
    await using folder = await Folder.make();
    const path = await writeTar(folder.file('image.tar'), layoutFiles([{ content: image, tag: '1' }]));
    await interrupted(hosting.url, 'import', path, 'local/app');
    const uploads = () => readdir(join(hosting.mirror.root, 'uploads'), { recursive: true, withFileTypes: true });
    await until('the upload is gone', async () => !(await uploads()).some((entry) => entry.isFile()), 10_000);
    expect((await hosting.ask('GET', '/v2/local/app/manifests/1')).status).toBe(404);
    const whole = await Program.run(['import', '--server', hosting.url, path, 'local/app']);
    expect([whole.code, whole.stderr]).toEqual([0, '']);
    for (const name of ['out', 'out.tar']) {
      await interrupted(hosting.url, 'export', 'local/app:1', folder.file(name));
      expect(await readdir(folder.path)).toEqual(['image.tar']);
    }
  },
);
