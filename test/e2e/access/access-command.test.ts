import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';

beforeAll(build, 180_000);

const file = `
users_file: /etc/oci-registry/htpasswd
groups: { team: [anna] }
rules:
  - { repositories: ['docker.io/**'], who: [anonymous], may: [pull] }
  - { repositories: ['local/team/**'], who: ['group:team', 'github:acme/*'], may: [push] }
  - { repositories: ['local/home/{user}/**'], who: [authenticated], may: [push, delete] }
`;

describe('oci-registry access', { concurrent: true, timeout: 60_000 }, () => {
  const run = async (args: string, yaml = file) => {
    await using folder = await Folder.make();
    const path = folder.file('access.yaml');
    await writeFile(path, yaml);
    return await Program.run(['--access-file', path, '--hosted-namespace', 'local', 'access', ...args.split(' ')]);
  };

  it.each([
    ['check --as user:anna push local/team/app', 0, 'user:anna may push local/team/app: access.rules[1] allows it'],
    ['check --as user:bert --group team push local/team/app', 0, 'access.rules[1] allows it'],
    ['check --as user:bert push local/team/app', 1, 'user:bert may not push local/team/app: no rule allows it'],
    ['check push local/home/anna/app', 1, 'anonymous may not push'],
    ['check pull nginx', 0, 'anonymous may pull docker.io/library/nginx: access.rules[0] allows it'],
    ['list --as user:anna', 0, 'access.rules[2]  local/home/anna/**  pull, push, delete'],
    ['list --as github:acme/app', 0, 'access.rules[1]  local/team/**  pull, push'],
  ])('%s: %i', async (args, code, line) => {
    const result = await run(args);
    expect({ code: result.code, stdout: result.stdout }).toEqual({
      code,
      stdout: expect.stringContaining(line) as string,
    });
    expect(result.stderr).toBe('warning: access.rules[1].who: github:acme/* is nobody: no issuer gives github:\n');
  });

  it('warns of those whom the files do not have', async () => {
    await using folder = await Folder.make();
    const users = folder.file('htpasswd');
    await writeFile(users, `anna:$2y$04$${'a'.repeat(53)}\n`);
    const access = folder.file('access.yaml');
    await writeFile(
      access,
      `users_file: ${users}\ngroups: { team: [anna, bert] }\nrules: [{ repositories: ['**'], who: ['user:anna', 'user:carl'], may: [pull] }]`,
    );
    const warnings = [
      `access.groups.team: bert can be nobody: not in ${users}`,
      `access.rules[0].who: user:carl is nobody: not in ${users}`,
    ];
    const listed = await Program.run(['--access-file', access, 'access', 'list']);
    expect(listed.stderr).toBe(warnings.map((text) => `warning: ${text}\n`).join(''));
    const args = ['--listen', '127.0.0.1:0', '--admin-listen', 'off', 'filesystem', '--root', folder.file('root')];
    await using server = await Program.start(['--access-file', access, ...args]);
    for (const text of warnings) await until(`the log has ${text}`, () => server.stdout.includes(text));
  });

  it.each([
    ['check fly local/a', 'the right must be one of pull, push, delete, admin'],
    ['check --as anna pull local/a', '--as must be anonymous, or a kind and a name'],
    ['check --as authenticated pull local/a', '--as must be anonymous, or a kind and a name'],
    ['list --as group:team', '--as must be somebody; --group adds a group to an identity'],
    ['check pull local/A', 'invalid repository name'],
    ['check pull', "missing required argument 'repository'"],
    ['frobnicate', 'unknown command'],
  ])('refuses a mistake: %s', async (args, reason) => {
    const { code, stderr } = await run(args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(reason) as string });
  });

  it('reports every mistake in the file', async () => {
    const { code, stderr } = await run('list', 'rules: [{ repositories: [a], who: [b], may: [c] }]');
    expect(code).toBe(2);
    expect(stderr.trimEnd().split('\n')).toHaveLength(3);
  });
});

describe('oci-registry robot', { timeout: 120_000 }, () => {
  it('adds, lists, rotates and removes robots, and prints a secret once', async () => {
    await using folder = await Folder.make();
    const path = folder.file('robots');
    const run = async (...args: string[]) => Program.run(['robot', ...args, '--file', path]);
    const added = await run('add', 'ci', '--expires', '90d');
    expect(added.stdout).toMatch(/^username: robot\+ci\npassword: ocir_[\w-]{43}\n$/);
    const [secret = ''] = /ocir_\S+/.exec(added.stdout) ?? [];
    expect(await readFile(path, 'utf8')).not.toContain(secret);
    expect((await run('add', 'ci')).stderr).toContain('ci is there already');
    expect((await run('list')).stdout).toMatch(/^ci {2}20\d\d-/);
    const rotated = await run('rotate', 'ci');
    expect(rotated.stdout).not.toContain(secret);
    expect((await run('list')).stdout).toMatch(/^ci {2}20\d\d-/);
    expect((await run('remove', 'ci')).code).toBe(0);
    expect((await run('remove', 'ci')).code).toBe(2);
    expect((await run('add', 'C I')).code).toBe(2);
    expect((await run('add', 'x', '--expires', 'soon')).stderr).toContain('must be a duration');
  });
});

describe('access check without an access file', { timeout: 60_000 }, () => {
  it('says what the server does', async () => {
    const check = async (...args: string[]) => (await Program.run(args)).stdout;
    const question = ['access', 'check', 'push', 'local/x'];
    expect(await check('--hosted-namespace', 'local', ...question)).toContain('anonymous may not push local/x');
    const open = ['--hosted-namespace', 'local', '--allow-anonymous-push'];
    expect(await check(...open, ...question)).toContain('anonymous may push local/x');
  });
});

describe('a server with an access file', { timeout: 60_000 }, () => {
  it('does not start without the files that it names', async () => {
    await using folder = await Folder.make();
    const path = folder.file('access.yaml');
    await writeFile(path, `users_file: ${folder.file('users')}\n${file.replace(/^users_file.*$/m, '')}`);
    const { code, stderr } = await Program.run(['--access-file', path, 'filesystem', '--root', folder.file('data')]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: `--access-file: a file: ${folder.file('users')}: ENOENT\n` });
  });

  it.each(['the access file', 'users_file', 'audit_log'])('does not start with a FIFO as %s', async (place) => {
    await using folder = await Folder.make();
    const [path, fifo] = [folder.file('access.yaml'), folder.file('fifo')];
    execFileSync('mkfifo', [fifo]);
    const accessFile = place === 'the access file' ? fifo : path;
    await writeFile(path, `${place}: ${fifo}\nrules: []\n`);
    const args = ['--access-file', accessFile, 'filesystem', '--root', folder.file('data')];
    const { code, stderr } = await Program.run(args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('not a regular file') as string });
  });

  it('does not start where anybody could claim to be a replica', async () => {
    await using folder = await Folder.make();
    const path = folder.file('access.yaml');
    await writeFile(path, file);
    const args = [
      '--access-file',
      path,
      '--advertise-url',
      'http://10.0.0.7:8080',
      'filesystem',
      '--root',
      folder.path,
    ];
    const { code, stderr } = await Program.run(args);
    expect(code).toBe(2);
    expect(stderr).toContain('--cluster-key: missing: is required with --access-file and --advertise-url');
  });
});
