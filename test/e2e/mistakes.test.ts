import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { Folder } from './support/folder.js';
import { build, Program } from './support/program.js';

beforeAll(build, 180_000);

/** Most of the time goes into starting Node. */
const inParallel = { concurrent: true, timeout: 60_000 };

/** Runs it where it ends with a mistake. @returns the lines of it */
async function mistakes(args: readonly string[], env: Record<string, string> = {}, yaml?: string): Promise<string[]> {
  await using folder = await Folder.make();
  await mkdir(folder.file('folder'));
  if (yaml !== undefined) await writeFile(folder.file('upstreams.yaml'), yaml);
  const file = yaml === undefined ? [] : ['--upstream-config-file', 'upstreams.yaml'];
  const { code, stderr } = await Program.run([...file, ...args], { env, cwd: folder.path });
  expect(code).toBe(2);
  expect(stderr).not.toMatch(/planted|^\s+at /m);
  return stderr.replaceAll(folder.path, 'DIR').trimEnd().split('\n');
}

/** The one line of an upstream file's mistake. */
const inFile = async (yaml: string) => {
  const lines = await mistakes([], {}, yaml);
  expect(lines).toHaveLength(1);
  return lines[0];
};

describe('a misspelt name', inParallel, () => {
  it.each([
    [['filesytem', '--root', 'x'], 'did you mean filesystem?'],
    [['filesystm'], 'did you mean filesystem?'],
    [['docter'], 'did you mean doctor?'],
    [['doctor', 'filesytem'], 'did you mean filesystem?'],
    [['swep'], 'did you mean sweep?'],
    [['wram', 'busybox'], 'did you mean warm?'],
    [['planted-secret'], 'the commands are filesystem, s3, custom, doctor, access, robot, warm'],
  ])('of a command: %j', async (args, hint) => {
    const lines = await mistakes(args);
    expect(lines[0]).toContain('unknown command');
    expect(lines[0]).toContain(hint);
    expect(lines.at(-1)).toBe('see oci-registry --help');
  });

  it.each([
    [['--lsten', ':80'], 'Did you mean --listen?'],
    [['filesystem', '--rot', 'x'], 'Did you mean --root?'],
    [['--default-namespce=planted', 'filesystem'], 'Did you mean --default-namespace?'],
    [['warm', '--platfrom', 'linux/amd64'], 'Did you mean --platform?'],
    [['filesystem', '--bucket', 'b'], '--bucket is an option of s3'],
    [['--server', 'http://a'], '--server is an option of the commands for a running server'],
  ])('of an option, or one of another command: %j', async (args, hint) => {
    expect((await mistakes(args)).join(' ')).toContain(hint);
  });

  it.each([
    ['namespce: a.test\n  host: a.test', 'namespce', 'namespace', 1],
    ['namespace: a.test\n  host: a.test\n  tags_ttl: 5m', 'tags_ttl', 'tag_ttl', 3],
    ['namespace: a.test\n  host: a.test\n  tagTtl: 5m', 'tagTtl', 'tag_ttl', 3],
    ['namespace: a.test\n  host: a.test\n  usrname: planted', 'usrname', 'username', 3],
  ])('of a key: %s', async (entry, name, nearest, line) => {
    const lines = await mistakes([], {}, `- ${entry}\n`);
    expect(lines.filter((each) => each.startsWith(`upstreams[0].${name}: `))).toEqual([
      expect.stringMatching(
        new RegExp(`: is not a known setting; did you mean ${nearest}\\? \\(upstreams\\.yaml, line ${line}\\)$`),
      ),
    ]);
  });

  it('of a variable is a warning', async () => {
    await using folder = await Folder.make();
    const env = {
      FILESYTEM_ROOT: 'planted',
      DEFAULT_NAMESPCE: 'x',
      S3_HOTS: 'x',
      LISTN: 'x',
      MAXSIZE: 'x',
      LISTEN_FDS: '1',
      EMPTY_MAX_SIZES: '',
    };
    await using program = await Program.start(['--listen', '127.0.0.1:0'], { env, cwd: folder.path });
    expect(program.log.filter(({ level }) => level === 40 || level === 'warn').map(({ msg }) => msg)).toEqual([
      'FILESYTEM_ROOT: a variable: is not a known setting; did you mean FILESYSTEM_ROOT?',
      'DEFAULT_NAMESPCE: a variable: is not a known setting; did you mean DEFAULT_NAMESPACE?',
      'LISTN: a variable: is not a known setting; did you mean LISTEN?',
      'MAXSIZE: a variable: is not a known setting; did you mean MAX_SIZE?',
    ]);
    const doctor = await Program.run(['doctor', 'filesystem', '--root', 'x'], { env, cwd: folder.path });
    expect(doctor.stdout).toMatch(/^warn +configuration .*did you mean FILESYSTEM_ROOT\?$/m);
  });
});

describe('a mistake in a file', inParallel, () => {
  it.each([
    ['- namespace: a.test\n  host: a.test\n\ttls: false\n', /a tab in the indentation.* \(upstreams\.yaml, line 3\)$/],
    ['- namespace: a.test\n\thost: a.test\n', /a tab in the indentation.* \(upstreams\.yaml, line 2\)$/],
    ['-\tnamespace: a.test\n\thost: a.test\n', /a tab in the indentation.* \(upstreams\.yaml, line [12]\)$/],
    ['\t- namespace: a.test\n', /a tab in the indentation.* \(upstreams\.yaml, line 1\)$/],
    ['- namespace: a.test\n  host: "a.test\n', /^upstreams: text: is not valid YAML: .* \(upstreams\.yaml, line 3\)$/],
    ['- namespace: a.test\n host: a.test\n', /is not valid YAML: .* \(upstreams\.yaml, line 2\)$/],
    ['- {namespace: a.test, host: a.test}\n- x: [1\n', /is not valid YAML: .* \(upstreams\.yaml, line \d\)$/],
    ['namespace: a.test\nhost: a.test\n', /^upstreams: a map: must be one YAML list of upstreams \(upstreams\.yaml\)$/],
    ['- namespace: a.test\n  host: a.test\n  tls: planted\n', /^upstreams\[0\]\.tls: .* \(upstreams\.yaml, line 3\)$/],
    ['- namespace: a.test\n', /^upstreams\[0\]\.host: missing: .* \(upstreams\.yaml, line 1\)$/],
    [
      '# a\n- namespace: a.test\n  host: a.test\n- host: b.test\n  namespace: a.test\n',
      /^upstreams\[1\]\.namespace: text: repeats upstreams\[0\] \(upstreams\.yaml, line 5\)$/,
    ],
    [
      '- namespace: a.test\n  host: a.test\n  fallback_hosts:\n    - host: b.test\n    - host: c.test\n      tls: 7\n',
      /^upstreams\[0\]\.fallback_hosts\[1\]\.tls: .* \(upstreams\.yaml, line 6\)$/,
    ],
    [
      '- namespace: a.test\n  host: a.test\n  ca_file: certs/absent.pem\n',
      /^upstreams\[0\]\.ca_file: .*ENOENT.*: DIR\/certs\/absent\.pem \(upstreams\.yaml, line 3\)$/,
    ],
  ])('is told with file and line: %j', async (yaml, line) => expect(await inFile(yaml)).toMatch(line));

  it.each([
    [['--upstream-config-file', 'absent.yaml'], {}, '--upstream-config-file', 'absent.yaml'],
    [[], { UPSTREAM_CONFIG_FILE: 'absent.yaml' }, 'UPSTREAM_CONFIG_FILE', 'absent.yaml'],
    [[], { UPSTREAM_CREDENTIALS_FILE: './absent.json' }, 'UPSTREAM_CREDENTIALS_FILE', 'absent.json'],
    [['--tls-key', 'key.pem'], { TLS_CERT: 'cert.pem' }, 'TLS_CERT', 'cert.pem'],
    [['--upstream-config-file', './folder'], {}, '--upstream-config-file', 'folder'],
  ])('that is not there names its path: %j %j', async (args, env, option, file) => {
    const lines = await mistakes(args, env);
    const [line = ''] = lines.filter((each) => each.startsWith(`${option}: a file: cannot be read: `));
    expect(line.endsWith(`: DIR/${file}`)).toBe(true);
  });

  it.each([
    ['--upstream-credentials-file', '{"docker.io":{"username":"u","password":"planted"}}'],
    ['--upstream-credentials-file', 'planted-secret.x'],
    ['--upstream-config-file', 'planted-secret'],
  ])('is not told with what may be a secret: %s', async (option, value) => {
    expect((await mistakes([option, value]))[0]).toMatch(/cannot be read: E[A-Z]+: [a-z ]+$/);
  });

  it.each(['', '# nothing yet\n\n', '---\n'])('that is empty is a warning: %j', async (yaml) => {
    await using folder = await Folder.make();
    await writeFile(folder.file('upstreams.yaml'), yaml);
    const file = ['--upstream-config-file', 'upstreams.yaml'];
    await using program = await Program.start(['--listen', '127.0.0.1:0', ...file], { cwd: folder.path });
    const text = '--upstream-config-file: a file: is empty: it configures no registry (upstreams.yaml)';
    expect(program.log.map(({ msg }) => msg)).toContain(text);
    const doctor = await Program.run([...file, 'doctor', '--json', 'filesystem', '--root', 'x'], { cwd: folder.path });
    expect(doctor.stdout).toContain(`{"name":"configuration","status":"warn","detail":"${text}"`);
  });

  it('that has an empty list is meant', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('upstreams.yaml'), '# none\n[]\n');
    const args = ['--listen', '127.0.0.1:0', '--upstream-config-file', 'upstreams.yaml'];
    await using program = await Program.start(args, { cwd: folder.path });
    expect(program.stdout).not.toContain('is empty');
  });
});

describe('a wrong value', inParallel, () => {
  it.each([
    [[], { LISTEN: 'planted' }, 'LISTEN'],
    [['--listen', 'planted'], { LISTEN: ':80' }, '--listen'],
    [[], { MAX_SIZE: 'planted' }, 'MAX_SIZE'],
    [['s3', '--bucket', 'bbb'], { S3_HOST: 'ftp://planted' }, 'S3_HOST'],
    [['s3'], { S3_BUCKET: 'PLANTED' }, 'S3_BUCKET'],
    [['filesystem', '--umask', 'planted'], {}, 'filesystem --umask'],
    [['filesystem'], { FILESYSTEM_UMASK: 'planted' }, 'FILESYSTEM_UMASK'],
    [[], { UPSTREAM_CREDENTIALS: '{"a b":{"username":"u","password":"planted"}}' }, 'UPSTREAM_CREDENTIALS[0]'],
    [['--upstream-credentials', '{"a.b":"planted"}'], {}, '--upstream-credentials[a.b]'],
    [['usage'], { ADMIN_URL: 'planted' }, 'ADMIN_URL'],
    [['usage', '--server', 'planted'], {}, '--server'],
  ])('is told with what held it: %j %j', async (args, env, path) => {
    const lines = await mistakes(args, env);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.startsWith(`${path}: `)).toBe(true);
    // Only what is within a value can be of several kinds.
    expect(lines[0]!.slice(path.length)).toMatch(path.includes('[') ? /^: (?:text|a map): / : /^: must /);
  });
});

describe('an address to listen on', inParallel, () => {
  it.each([
    ['203.0.113.77:8080', /EADDRNOTAVAIL: .*--listen \(LISTEN\)$/],
    ['unix:/nowhere/at/all.sock', /EACCES|ENOENT: .*--listen \(LISTEN\)$/],
    ['nowhere.invalid:8080', /(?:ENOTFOUND|EAI_AGAIN): .*--listen \(LISTEN\)$/],
  ])('that cannot be is told with the option: %s', async (address, line) => {
    expect(await mistakes(['--listen', address])).toEqual([expect.stringMatching(line)]);
  });

  it.each(['--listen', '--admin-listen'])('that is taken is told with the option: %s', async (option) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const lines = await mistakes(['--listen', '127.0.0.1:0', option, address]);
    other.close();
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^cannot listen on ${address}: EADDRINUSE: .*${option} \\([A-Z_]+\\)$`)),
    ]);
  });

  it('is in the log as it is', async () => {
    await using folder = await Folder.make();
    await using all = await Program.start(['--listen', '0.0.0.0:0'], { cwd: folder.path });
    expect(all.url).toMatch(/^http:\/\/0\.0\.0\.0:[1-9]\d*$/);
    const socket = folder.file('s.sock');
    await using local = await Program.start(['--listen', `unix:${socket}`], { cwd: folder.path });
    expect(local.log.map(({ msg }) => msg)).toContain(`listening on unix:${socket}`);
  });
});

describe('the short options', inParallel, () => {
  it.each([
    [['-h'], ['--help']],
    [
      ['doctor', '-h'],
      ['doctor', '--help'],
    ],
    [
      ['s3', '-h'],
      ['s3', '--help'],
    ],
    [
      ['warm', '-h'],
      ['warm', '--help'],
    ],
    [['-V'], ['--version']],
  ])('%j does what %j does', async (short, long) => {
    const [one, other] = await Promise.all([Program.run(short), Program.run(long)]);
    expect([one.code, one.stdout, one.stderr]).toEqual([0, other.stdout, '']);
    expect(one.stdout).not.toBe('');
  });
});
