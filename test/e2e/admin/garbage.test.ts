import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { manifestMediaTypes } from '../../../src/oci/media-type.js';
import { Tag } from '../../../src/oci/reference.js';
import { RepositoryRef } from '../../../src/oci/repository.js';
import { keys } from '../../../src/storage/keys.js';
import { digestOf } from '../hosted/support/registry.js';
import { ageBy } from '../hosted/support/ageing.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { plantDamaged } from './support.js';

beforeAll(build, 180_000);

it('gc --dry-run prints what a sweep would remove and why, and gc removes it', async () => {
  await using folder = await Folder.make();
  const root = folder.file('data');
  const entry = '- { namespace: local, hosted: true, keep: [{ tags: [old], pulled_within: 1d }] }';
  await writeFile(folder.file('upstreams.yaml'), entry);
  const config = ['--upstream-config-file', folder.file('upstreams.yaml'), '--allow-anonymous-push'];
  const hosted = [...config, 'filesystem', '--root', root];
  const start = () =>
    Program.start(['--listen', '127.0.0.1:0', ...hosted], { env: { ADMIN_LISTEN: '127.0.0.1:0' }, cwd: folder.path });
  const digest = digestOf('orphan').toString();
  await using first = await start();
  const pushed = await fetch(`${first.url}/v2/local/app/blobs/uploads/?digest=${digest}`, {
    method: 'POST',
    body: 'orphan',
  });
  expect(pushed.status).toBe(201);
  const index = JSON.stringify({ schemaVersion: 2, mediaType: manifestMediaTypes.ociIndex, manifests: [] });
  for (const tag of ['old', 'new']) {
    const headers = { 'content-type': manifestMediaTypes.ociIndex };
    const url = `${first.url}/v2/local/app/manifests/${tag}`;
    expect((await fetch(url, { method: 'PUT', headers, body: index })).status).toBe(201);
  }
  await first[Symbol.asyncDispose]();
  const record = join(root, keys.hostedTag(RepositoryRef.parse('local/app'), Tag.parse('old')));
  const fields = JSON.parse(await readFile(record, 'utf8')) as { pushedAt: number };
  await writeFile(record, JSON.stringify({ ...fields, pushedAt: fields.pushedAt - 48 * 3_600_000 }));
  await ageBy(root, 48);

  await using program = await start();
  const [, adminUrl = ''] = /serving \/_admin at ([^"]+)/.exec(program.stdout) ?? [];
  const run = (...args: string[]) => Program.run(['gc', ...args], { env: { ADMIN_URL: adminUrl }, cwd: folder.path });
  for (let time = 0; time < 2; time += 1) {
    const { code, stdout, stderr } = await run('--dry-run');
    expect([code, stderr]).toEqual([0, '']);
    const [tag = '', row = '', total] = stdout.split('\n');
    expect(tag).toMatch(
      /^tag {7}local\/app:old@sha256:[0-9a-f]{64} {2}unused since \S+: keep\[0\]: not pulled for 2d$/,
    );
    expect(row).toMatch(/^blob {6}local\/app@sha256:[0-9a-f]{64} {2}unused since \S+: no manifest names it$/);
    expect(row).toContain(digest);
    expect(total).toBe('1 tags, 0 manifests and 1 blobs would go, 0 repositories failed');
  }
  const json = (await run('--dry-run', '--json')).stdout.trim().split('\n');
  expect(json.map((line) => JSON.parse(line) as object)).toMatchObject([
    { repository: 'local/app', kind: 'tag', tag: 'old', digest: digestOf(index).toString() },
    { repository: 'local/app', kind: 'blob', digest, reason: 'no manifest names it' },
    { failed: 0 },
  ]);
  const collected = await run('--json');
  expect([collected.code, JSON.parse(collected.stdout)]).toMatchObject([0, { removedRecords: 2, removedContents: 1 }]);
  expect((await run('--dry-run')).stdout).toBe('0 tags, 0 manifests and 0 blobs would go, 0 repositories failed\n');
}, 120_000);

it('sweep --dry-run prints it, and sweep removes it', async () => {
  await using folder = await Folder.make();
  const key = await plantDamaged(folder.file('data'));
  const args = ['--listen', '127.0.0.1:0', '--sweep-interval', '0s', 'filesystem', '--root', folder.file('data')];
  await using program = await Program.start(args, { env: { ADMIN_LISTEN: '127.0.0.1:0' }, cwd: folder.path });
  const [, adminUrl = ''] = /serving \/_admin at ([^"]+)/.exec(program.stdout) ?? [];
  const run = (...more: string[]) =>
    Program.run(['sweep', ...more], { env: { ADMIN_URL: adminUrl }, cwd: folder.path });
  const { code, stdout, stderr } = await run('--dry-run');
  expect([code, stderr]).toEqual([0, '']);
  const [row, total] = stdout.split('\n');
  expect(row).toMatch(/^damaged +7 B {2}unused since [-0-9]+T[0-9:]+ {2}damaged\/blobs\/sha256\/aa\/old$/);
  expect(total).toBe('0 pieces of content and 0 records would go, 4.0 KiB, 0 failed');
  const json = (await run('--dry-run', '--json')).stdout.trim().split('\n');
  expect(json.map((line) => JSON.parse(line) as object)).toMatchObject([
    { key, reason: 'damaged' },
    { removedBytes: 4096, failed: 0 },
  ]);
  expect(JSON.parse((await run('--json')).stdout)).toMatchObject({ removedBytes: 4096 });
  expect((await run('--dry-run')).stdout).toBe('0 pieces of content and 0 records would go, 0 B, 0 failed\n');
}, 120_000);
