import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { settingsOf } from '../../src/config/validation/setting.decorator.js';
import { ServerSettings } from '../../src/config/server.settings.js';
import { FilesystemSettings } from '../../src/config/storage.settings.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob } from '../fixtures/images.js';
import { Folder } from './support/folder.js';
import { build, Program } from './support/program.js';

beforeAll(build, 180_000);

/** Most of the time goes into starting Node. */
const inParallel = { concurrent: true, timeout: 60_000 };
const anyPort = ['--listen', '127.0.0.1:0'];

/** It failed the way a person can do something about: exit code 2, no stack, no secret. @returns its lines */
function expectMistake(program: Program & { code: number | null }): string[] {
  expect({ code: program.code, stdout: program.stdout }).toEqual({ code: 2, stdout: '' });
  expect(program.stderr).not.toMatch(/^\s+at /m);
  expect(program.stderr).not.toMatch(/node_modules|dist\/|Error:/);
  expect(program.stderr).not.toContain('planted');
  return program.stderr.trimEnd().split('\n');
}

describe('--help', inParallel, () => {
  it.each([[['--help']], [['filesystem', '--help']]])(
    'of %s shows every setting with its variable and its default',
    async (args) => {
      const { code, stdout, stderr } = await Program.run(args);
      expect([code, stderr]).toEqual([0, '']);
      const text = stdout.replaceAll(/\s+/g, ' ');
      for (const setting of [...settingsOf(ServerSettings), ...settingsOf(FilesystemSettings)]) {
        const notes = [
          `env: ${setting.env!}`,
          ...(setting.default === undefined ? [] : [`default: ${setting.default}`]),
        ];
        const value = setting.value === undefined ? '[boolean]' : `<${setting.value}>`;
        expect(text).toContain(`--${setting.name} ${value} ${setting.description} (${notes.join(', ')})`);
      }
    },
  );

  it('says what the defaults are', () => {
    for (const type of [ServerSettings, FilesystemSettings]) {
      const values = new type() as unknown as Record<string, unknown>;
      for (const { property, parse, default: written } of settingsOf(type)) {
        if (written !== undefined) expect(values[property], property).toEqual(parse?.(written) ?? written);
      }
    }
  });
});

describe('--version', () => {
  it('prints that of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const { code, stdout, stderr } = await Program.run(['--version']);
    expect([code, stdout, stderr]).toEqual([0, `${version}\n`, '']);
  });
});

describe('a start', inParallel, () => {
  it('without a sub-command answers at once and keeps content in ./data', async () => {
    await using folder = await Folder.make();
    await using program = await Program.start(anyPort, { cwd: folder.path });
    const reply = await request(`${program.url}/v2/`);
    expect([reply.status, reply.body.toString()]).toEqual([200, '{}']);
    expect((await stat(folder.file('data'))).isDirectory()).toBe(true);
    expect(program.stderr).toBe('');
  });

  it('logs the version, the storage, the upstreams and the address', async () => {
    await using folder = await Folder.make();
    await writeFile(
      folder.file('upstreams.yaml'),
      '- namespace: a.test\n  host: a.test\n- namespace: b.test\n  host: b.test\n',
    );
    const args = [...anyPort, '--upstream-config-file', 'upstreams.yaml', 'filesystem', '--root', 'here'];
    await using program = await Program.start(args, { cwd: folder.path });
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const messages = program.log.map(({ msg }) => msg);
    const node = process.versions.node;
    expect(messages).toContain(
      `oci-registry ${version}, Node.js ${node}, storage: filesystem here, upstreams: a.test, b.test`,
    );
    expect(messages).toContain(`listening on ${program.url}`);
  });

  it('takes its settings from the environment, and flags before those', async () => {
    await using folder = await Folder.make();
    const env = {
      LISTEN: '127.0.0.1:0',
      FILESYSTEM_ROOT: folder.file('from-environment'),
      DRAIN_TIMEOUT: 'never',
      LOG_LEVEL: '',
      UPSTREAM_CONFIG_FILE: '',
      UPSTREAM_CREDENTIALS: '',
      CHECK_CACHE_DIGEST: '',
      DEFAULT_NAMESPACE: '',
    };
    await using first = await Program.start(['--drain-timeout', '1s'], { env, cwd: folder.path });
    await using second = await Program.start(['--drain-timeout', '1s', 'filesystem', '--root', 'from-flag'], {
      env,
      cwd: folder.path,
    });
    for (const program of [first, second]) expect((await request(`${program.url}/v2/`)).status).toBe(200);
    expect((await readdir(folder.path)).sort()).toEqual(['from-environment', 'from-flag']);
  });

  it('takes an empty variable for none', async () => {
    await using folder = await Folder.make();
    await using program = await Program.start(anyPort, { env: { FILESYSTEM_ROOT: '' }, cwd: folder.path });
    expect(await readdir(folder.path)).toEqual(['data']);
    expect(program.isRunning).toBe(true);
  });

  it.each([
    [['--check-cache-digest']],
    [['--check-cache-digest', 'true']],
    [['--check-cache-digest', 'False']],
    [['--check-cache-digest', '1']],
    [['--check-cache-digest', '0']],
    [['--check-cache-digest=true']],
  ])('takes %s before a sub-command', async (flags) => {
    await using folder = await Folder.make();
    await using program = await Program.start([...anyPort, ...flags, 'filesystem', '--root', 'here'], {
      cwd: folder.path,
    });
    expect(await readdir(folder.path)).toEqual(['here']);
    expect(program.stderr).toBe('');
  });

  it.each([
    ['flag alone', ['--check-cache-digest'], {}, true],
    ['flag off, variable on', ['--check-cache-digest', '0'], { CHECK_CACHE_DIGEST: '1' }, false],
    ['variable on', [], { CHECK_CACHE_DIGEST: 'TRUE' }, true],
    ['neither', [], {}, false],
  ])('means by --check-cache-digest what it says: %s', async (_, flags, env, checks) => {
    await using registry = await FakeRegistry.start();
    const blob = makeBlob(3_000_000, 'checked');
    registry.addBlob('team/app', blob);
    await using folder = await Folder.make();
    await writeFile(
      folder.file('upstreams.yaml'),
      `- {namespace: registry.test, host: '${registry.host}', tls: false}`,
    );
    const args = [...anyPort, '--upstream-config-file', 'upstreams.yaml', ...flags, 'filesystem', '--root', 'store'];
    const path = `/v2/registry.test/team/app/blobs/${blob.digest}`;
    {
      await using program = await Program.start(args, { env, cwd: folder.path });
      await request(`${program.url}${path}`);
      program.kill('SIGTERM');
      await program.end;
    }
    const hex = blob.digest.slice('sha256:'.length);
    const stored = join(folder.path, 'store/blobs/sha256', hex.slice(0, 2), hex);
    const damaged = await readFile(stored);
    damaged[0]! ^= 1;
    await writeFile(stored, damaged);
    await using program = await Program.start(args, { env, cwd: folder.path });
    const reply = await request(`${program.url}${path}`);
    expect(reply.body.equals(checks ? blob.body : damaged)).toBe(true);
  });

  it('serves the example file as it is', async () => {
    await using folder = await Folder.make();
    const example = join(process.cwd(), 'example.yaml');
    await using program = await Program.start([...anyPort, '--upstream-config-file', example], { cwd: folder.path });
    expect((await request(`${program.url}/v2/`)).status).toBe(200);
  });
});

describe('a wrong configuration', inParallel, () => {
  it('is told with all its mistakes at once, and none of its secrets', async () => {
    await using folder = await Folder.make();
    const yaml = `
- namespace: ghcr.io
  host: http://ghcr.io/path
  password: planted-in-yaml
  manifest_invalidation_time: 5
  colour: planted-unknown
- namespace: quay.io
  tls: planted-maybe
  ca_file: /nowhere/ca.pem
  host: quay.io
`;
    await writeFile(folder.file('upstreams.yaml'), yaml);
    const flags = {
      '--listen': 'nowhere',
      '--drain-timeout': 'soon',
      '--max-downloads': '0',
      '--unknown-namespaces': 'perhaps',
      '--upstream-config-file': folder.file('upstreams.yaml'),
    };
    const env = {
      LOG_LEVEL: 'loud',
      DEFAULT_NAMESPACE: 'https://docker.io',
      CHECK_CACHE_DIGEST: 'yes',
      UPSTREAM_CREDENTIALS: '{"docker.io":{"username":"planted-user","pasword":"planted-password"},"no host":{}}',
    };
    const program = await Program.run(Object.entries(flags).flat(), { env, cwd: folder.path });
    const lines = expectMistake(program);
    const paths = [
      '--listen',
      '--drain-timeout',
      '--max-downloads',
      '--unknown-namespaces',
      'LOG_LEVEL',
      'DEFAULT_NAMESPACE',
      'CHECK_CACHE_DIGEST',
      'upstreams[0].host',
      'upstreams[0].username',
      'upstreams[0].manifest_invalidation_time',
      'upstreams[0].colour',
      'upstreams[1].tls',
      'upstreams[1].ca_file',
      'UPSTREAM_CREDENTIALS[docker.io]',
      'UPSTREAM_CREDENTIALS[1]',
    ];
    for (const path of paths)
      expect(
        lines.filter((line) => line.startsWith(`${path}: `)),
        path,
      ).toHaveLength(1);
    for (const line of lines) expect(line).toMatch(/^(?:[^:]+\[[^\]]*\][^:]*: [a-z ]+|--[a-z-]+|[A-Z_]+): .+/);
    expect(await readdir(folder.path)).toEqual(['upstreams.yaml']);
  });

  it.each([
    ['a YAML file that is none', 'upstreams', "- namespace: ghcr.io\n  password: 'planted-in-yaml\n  host: [ghcr.io\n"],
    ['a YAML file that is a map', 'upstreams', 'ghcr.io: {password: planted}\n'],
    ['an entry that is a text', 'upstreams[0]', '- planted\n'],
    [
      'a namespace twice',
      'upstreams[1].namespace',
      '- {namespace: a.io, host: a.io}\n- {namespace: A.IO, host: b.io}\n',
    ],
  ])('like %s is one line', async (_, path, yaml) => {
    await using folder = await Folder.make();
    await writeFile(folder.file('upstreams.yaml'), yaml);
    const program = await Program.run([...anyPort, '--upstream-config-file', 'upstreams.yaml'], { cwd: folder.path });
    const lines = expectMistake(program);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.startsWith(`${path}: `)).toBe(true);
  });

  it.each(['{"docker.io":{"username":"u","password":"planted"}', '["planted"]', '"planted"', 'planted'])(
    'like the credentials %s is one line without them',
    async (credentials) => {
      const runs = {
        UPSTREAM_CREDENTIALS: Program.run(anyPort, { env: { UPSTREAM_CREDENTIALS: credentials } }),
        '--upstream-credentials': Program.run([...anyPort, '--upstream-credentials', credentials]),
      };
      for (const [path, run] of Object.entries(runs)) {
        const lines = expectMistake(await run);
        expect(lines).toHaveLength(1);
        expect(lines[0]!.startsWith(`${path}: `)).toBe(true);
      }
    },
  );

  it.each([
    ['is not there', 'absent.yaml'],
    ['is a folder', '.'],
  ])('like a file that %s is one line', async (_, file) => {
    await using folder = await Folder.make();
    const program = await Program.run([...anyPort, '--upstream-config-file', file], { cwd: folder.path });
    const lines = expectMistake(program);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^--upstream-config-file: a file: cannot be read: /);
  });

  it.each([
    [['--colour', 'red']],
    [['filesystem', '--colour']],
    [['s4', '--bucket', 'b']],
    [['filesystem', 'extra']],
    [['--listen']],
    [['--check-cache-digest', 'banana']],
    [['--upstream-credential={"docker.io":{"password":"planted"}}']],
    [['--upstream-credential', '{"docker.io":{"password":"planted"}}']],
    [['{"docker.io":{"password":"planted"}}']],
    [['filesystem', '--upstream-credential={"docker.io":{"password":"planted"}}']],
  ])('like the arguments %j ends with a hint', async (args) => {
    const lines = expectMistake(await Program.run(args));
    expect(lines.at(-1)).toBe('see oci-registry --help');
    expect(lines.length).toBeLessThanOrEqual(3);
  });

  it('like a boolean that is none is told apart', async () => {
    const lines = expectMistake(await Program.run(['--check-cache-digest=banana']));
    expect(lines).toEqual(['--check-cache-digest: must be true, false, 1 or 0']);
  });
});

describe('surroundings that do not fit', inParallel, () => {
  it.each([
    ['a file', async (folder: Folder) => (await writeFile(folder.file('file'), ''), folder.file('file'))],
    ['below a file', async (folder: Folder) => (await writeFile(folder.file('file'), ''), folder.file('file/below'))],
  ])('like a root that is %s are one line', async (_, make) => {
    await using folder = await Folder.make();
    const program = await Program.run([...anyPort, 'filesystem', '--root', await make(folder)]);
    expect(expectMistake(program)).toHaveLength(1);
  });

  it.each([
    ['an address of somebody else', '203.0.113.77:8080'],
    ['a host that does not exist', 'nowhere.invalid:8080'],
    ['a socket in no folder', 'unix:/nowhere/at/all.sock'],
  ])('like %s to listen on are one line', async (_, address) => {
    await using folder = await Folder.make();
    const lines = expectMistakeButLog(await Program.run(['--listen', address], { cwd: folder.path }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(address.replace('unix:', ''));
  });

  it('like a taken port are one line', async () => {
    await using folder = await Folder.make();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const program = await Program.run(['--listen', address], { cwd: folder.path });
    other.close();
    expect(expectMistakeButLog(program)).toEqual([
      `cannot listen on ${address}: EADDRINUSE: another program listens there; stop it or set another address with --listen (LISTEN)`,
    ]);
  });
});

/** What is found when the server is up may stand below log lines. */
function expectMistakeButLog(program: Program & { code: number | null }): string[] {
  program.stdout = '';
  return expectMistake(program);
}

describe('a socket file', inParallel, () => {
  const get = (socketPath: string, path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = http.get({ socketPath, path, agent: false }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode));
      });
      sent.once('error', reject);
    });

  it('is listened on, and goes with the program', async () => {
    await using folder = await Folder.make();
    const socket = folder.file('s.sock');
    await using program = await Program.start(['--listen', `unix:${socket}`], { cwd: folder.path });
    expect(await get(socket, '/v2/')).toBe(200);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
    await expect(stat(socket)).rejects.toThrow('ENOENT');
  });

  it('that was left behind is replaced', async () => {
    await using folder = await Folder.make();
    const socket = folder.file('s.sock');
    const args = ['--listen', `unix:${socket}`];
    {
      await using killed = await Program.start(args, { cwd: folder.path });
      killed.kill('SIGKILL');
      await killed.end;
    }
    expect((await stat(socket)).isSocket()).toBe(true);
    await using program = await Program.start(args, { cwd: folder.path });
    expect(await get(socket, '/v2/')).toBe(200);
    expect(program.stderr).toBe('');
  });

  it('that somebody listens on is left to them', async () => {
    await using folder = await Folder.make();
    const socket = folder.file('s.sock');
    const args = ['--listen', `unix:${socket}`];
    await using program = await Program.start(args, { cwd: folder.path });
    const lines = expectMistakeButLog(
      await Program.run([...args, 'filesystem', '--root', 'other'], { cwd: folder.path }),
    );
    expect(lines).toEqual([`cannot listen on ${socket}: another process is listening on it`]);
    expect(await get(socket, '/v2/')).toBe(200);
    expect(program.isRunning).toBe(true);
  });

  it('that is a regular file is left alone', async () => {
    await using folder = await Folder.make();
    const file = folder.file('precious');
    await writeFile(file, 'content');
    const lines = expectMistakeButLog(await Program.run(['--listen', `unix:${file}`], { cwd: folder.path }));
    expect(lines).toEqual([`cannot listen on ${file}: it is not a socket`]);
    expect(await readFile(file, 'utf8')).toBe('content');
  });
});
