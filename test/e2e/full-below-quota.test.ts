import { mkdir, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob, type FixtureBlob } from '../fixtures/images.js';
import { Folder } from './support/folder.js';
import { build, hasMounts, Program } from './support/program.js';
import { until } from './support/until.js';

beforeAll(build, 180_000);

interface Disk {
  readonly name: string;
  /** Of tmpfs. */
  readonly options: string;
  /** Shell command that fills a part of it before the start, as others do. */
  readonly fill?: string;
  readonly size: number;
  /** Further arguments. */
  readonly args: readonly string[];
}

const disks: Disk[] = [
  {
    name: 'half of which others have filled',
    options: 'size=40m',
    fill: 'dd if=/dev/zero of=disk/other bs=1M count=20 status=none',
    size: 3_000_000,
    args: ['--max-size', '80%'],
  },
  {
    name: 'without inodes, although it has space',
    options: 'size=40m,nr_inodes=120',
    size: 10_000,
    args: ['--max-size', '80%'],
  },
  { name: 'of any size without --max-size', options: 'size=20m', size: 3_000_000, args: [] },
];

/** The disks are real ones. */
describe.runIf(hasMounts).each(disks)('a disk $name', ({ options, fill, size, args }) => {
  it('makes room for new content, as the quota does', { timeout: 60_000 }, async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start();
    await mkdir(folder.file('disk'));
    await writeFile(folder.file('u.yaml'), `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`);
    const common = ['--listen', '127.0.0.1:0', '--upstream-config-file', 'u.yaml', '--memory-cache', '0B', ...args];
    await using program = await Program.start([...common, 'filesystem', '--root', 'disk/data'], {
      cwd: folder.path,
      mounts: [`mount -t tmpfs -o ${options} none disk`, ...(fill === undefined ? [] : [fill])].join(' && '),
    });
    const pull = async ({ digest, body }: FixtureBlob) => {
      const response = await request(`${program.url}/v2/registry.test/app/blobs/${digest}`);
      expect([response.status, response.body.equals(body)]).toEqual([200, true]);
      return response.headers['x-cache'];
    };
    // Three times as much as there is room for.
    const count = Math.ceil(Math.max(60_000_000 / size / (size > 1_000_000 ? 1 : 60), 20));
    for (let index = 0; index < count; index += 1) {
      const blob = makeBlob(size + index, `${options} ${index}`);
      registry.addBlob('app', blob);
      await pull(blob);
    }
    const latest = makeBlob(size + count, `${options} latest`);
    registry.addBlob('app', latest);
    await until('what is pulled last is kept', async () => (await pull(latest)) === 'HIT', 20_000);
    await until('a sweep has made room', () =>
      /sweep finished .* removed [1-9]\d* content objects/.test(program.stdout),
    );
  });
});
