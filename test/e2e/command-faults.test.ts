import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { Folder } from './support/folder.js';
import { build, Program } from './support/program.js';

beforeAll(build, 180_000);

const trace = /\n\s+at |node:events/;

describe('a command says in one line what is wrong', () => {
  it('with a platform, with a hosted image, and with a flag that has no effect', async () => {
    await using folder = await Folder.make();
    const admin = `unix:${folder.file('admin.sock')}`;
    const listen = ['--listen', '127.0.0.1:0', '--admin-listen', admin];
    const hosted = ['--hosted-namespace', 'local', 'filesystem', '--root', folder.file('content')];
    await using program = await Program.start([...listen, ...hosted], { cwd: folder.path });
    expect(program.isRunning).toBe(true);
    const warm = await Program.run(['warm', '--server', admin, '--platform', 'bad', 'docker.io/library/x']);
    expect([warm.code, warm.stderr]).toEqual([2, 'a platform must be os/architecture or os/architecture/variant\n']);
    const removed = await Program.run(['remove', '--server', admin, 'local/app:1']);
    expect(`${removed.stdout}${removed.stderr}`).toContain('local is hosted: delete from it by DELETE /v2/…');
    expect(`${removed.stdout}${removed.stderr}`).not.toMatch(trace);
  });

  it('with --allow-anonymous-push and nothing to push to', async () => {
    await using folder = await Folder.make();
    const args = ['--allow-anonymous-push', '--listen', '127.0.0.1:0', 'filesystem', '--root', 'content'];
    await using program = await Program.start(args, { cwd: folder.path });
    const warnings = program.log.filter(({ level }) => level === 40 || level === 'warn').map(({ msg }) => msg);
    expect(warnings).toEqual([
      '--allow-anonymous-push: a flag: has no effect without a hosted namespace: add --hosted-namespace',
    ]);
  });

  it('with --allow-anonymous-push and an access file, whose rules decide', async () => {
    await using folder = await Folder.make();
    await writeFile(
      folder.file('access.yaml'),
      'rules: [{ repositories: [local/**], who: [anonymous], may: [pull] }]\n',
    );
    const flags = ['--allow-anonymous-push', '--hosted-namespace', 'local', '--access-file', 'access.yaml'];
    const args = [...flags, '--listen', '127.0.0.1:0', '--admin-listen', 'off', 'filesystem', '--root', 'content'];
    await using program = await Program.start(args, { cwd: folder.path });
    const warnings = program.log.filter(({ level }) => level === 40 || level === 'warn').map(({ msg }) => msg);
    expect(warnings).toEqual([
      '--allow-anonymous-push: a flag: has no effect with --access-file: its rules say who may push',
    ]);
  });

  it('with a reader that takes only the first line', async () => {
    await using folder = await Folder.make();
    const pipe = `"${process.execPath}" dist/main.js doctor filesystem --root "${folder.file('content')}" | head -1`;
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', pipe]);
    expect(stdout).toMatch(/^ok +configuration/);
    expect(stderr).not.toMatch(trace);
  });

  it.each([
    ['127.0.0.1:70000', 'with a port up to 65535'],
    ['unix:/no/such/folder/socket', 'the directory of the socket does not exist'],
  ])('with an address that cannot be: %s', async (address, reason) => {
    await using folder = await Folder.make();
    const args = ['--listen', address, '--admin-listen', 'off', 'filesystem', '--root', 'content'];
    const { code, stderr } = await Program.run(args, { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });
});
