import { execFile } from 'node:child_process';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Folder } from './folder.js';

const run = promisify(execFile);
const project = join(import.meta.dirname, '../../..');

/**
 * Installs the package as its users get it, packed, and the example provider beside it, into the folder's node_modules.
 * Only the dependencies are borrowed from the project.
 */
export async function installPackage(folder: Folder): Promise<{ program: string; provider: string }> {
  const modules = folder.file('node_modules');
  const [installed, provider] = [join(modules, 'oci-registry'), join(modules, 'example-provider')];
  await mkdir(installed, { recursive: true });
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder.path];
  const { stdout } = await run('npm', args, { cwd: project, maxBuffer: 16 << 20 });
  const [{ filename } = { filename: '' }] = JSON.parse(stdout) as { filename: string }[];
  await run('tar', ['-xzf', folder.file(filename), '-C', installed, '--strip-components=1']);
  await symlink(join(project, 'node_modules'), join(installed, 'node_modules'));
  await cp(join(project, 'test/fixtures/example-provider'), provider, { recursive: true });
  return { program: join(installed, 'dist/main.js'), provider };
}
