import { beforeAll, expect, it } from 'vitest';
import { digestOf } from '../hosted/support/registry.js';
import { ageBy } from '../hosted/support/ageing.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';

beforeAll(build, 180_000);

it('gc --dry-run prints what a sweep would remove and why, and gc removes it', async () => {
  await using folder = await Folder.make();
  const root = folder.file('data');
  const hosted = ['--hosted-namespace', 'local', '--allow-anonymous-push', 'filesystem', '--root', root];
  const start = () =>
    Program.start(['--listen', '127.0.0.1:0', ...hosted], { env: { ADMIN_LISTEN: '127.0.0.1:0' }, cwd: folder.path });
  const digest = digestOf('orphan').toString();
  await using first = await start();
  const pushed = await fetch(`${first.url}/v2/local/app/blobs/uploads/?digest=${digest}`, {
    method: 'POST',
    body: 'orphan',
  });
  expect(pushed.status).toBe(201);
  await first[Symbol.asyncDispose]();
  await ageBy(root, 48);

  await using program = await start();
  const [, adminUrl = ''] = /serving \/_admin at ([^"]+)/.exec(program.stdout) ?? [];
  const run = (...args: string[]) => Program.run(['gc', ...args], { env: { ADMIN_URL: adminUrl }, cwd: folder.path });
  for (let time = 0; time < 2; time += 1) {
    const { code, stdout, stderr } = await run('--dry-run');
    expect([code, stderr]).toEqual([0, '']);
    const [row = '', total] = stdout.split('\n');
    expect(row).toMatch(/^blob {6}local\/app@sha256:[0-9a-f]{64} {2}unused since \S+: no manifest names it$/);
    expect(row).toContain(digest);
    expect(total).toBe('0 tags, 0 manifests and 1 blobs would go, 0 repositories failed');
  }
  const json = (await run('--dry-run', '--json')).stdout.trim().split('\n');
  expect(json.map((line) => JSON.parse(line) as object)).toMatchObject([
    { repository: 'local/app', kind: 'blob', digest, reason: 'no manifest names it' },
    { failed: 0 },
  ]);
  const collected = await run('--json');
  expect([collected.code, JSON.parse(collected.stdout)]).toMatchObject([0, { removedRecords: 1, removedContents: 1 }]);
  expect((await run('--dry-run')).stdout).toBe('0 tags, 0 manifests and 0 blobs would go, 0 repositories failed\n');
}, 120_000);
