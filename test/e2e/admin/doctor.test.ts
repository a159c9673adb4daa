import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeCertificate } from '../../fixtures/certificate.js';
import { Folder } from '../support/folder.js';
import { build, hasMounts, Program } from '../support/program.js';
import { storedFiles } from '../support/stored-files.js';

beforeAll(build, 180_000);

interface Result {
  readonly name: string;
  readonly status: string;
  readonly detail: string;
}

/** Runs it with an upstream file, whose first registry is the default one. @returns what is not well, and everything */
async function examine(folder: Folder, upstreams: string, args = ['filesystem', '--root', 'store']) {
  await writeFile(folder.file('upstreams.yaml'), upstreams);
  const [, first = 'registry.test'] = /namespace: ([\w.:]+)/.exec(upstreams) ?? [];
  const all = ['--upstream-config-file', 'upstreams.yaml', '--default-namespace', first, 'doctor', '--json', ...args];
  const program = await Program.run(all, { cwd: folder.path });
  expect(program.stderr).toBe('');
  expect(program.stdout).not.toContain('planted');
  const lines = program.stdout.trimEnd().split('\n');
  const results = lines.map((line) => JSON.parse(line) as Result);
  return { code: program.code, results, bad: results.filter(({ status }) => status === 'fail') };
}

const signedIn = (host: string, password = 'planted-password') =>
  `- {namespace: registry.test, host: '${host}', tls: false, username: user, password: ${password}}`;

describe('doctor', { concurrent: true, timeout: 120_000 }, () => {
  it('finds nothing wrong where nothing is, and leaves nothing behind', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ auth: 'bearer', anonymous: false });
    const { code, bad, results } = await examine(folder, signedIn(registry.host));
    expect([code, bad]).toEqual([0, []]);
    expect(results.find(({ name }) => name === 'registry.test: sign-in')).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('token obtained') as string,
    });
    expect(results.find(({ name }) => name === 'clock')?.detail).toMatch(/^-?\d+ s (ahead of|behind) 127/);
    expect(await storedFiles(folder.file('store'))).toEqual([]);
  });

  it.each(['bearer', 'basic'] as const)('finds a wrong password: %s', async (auth) => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ auth, anonymous: false });
    const { code, bad } = await examine(folder, signedIn(registry.host, 'planted-and-wrong'));
    expect(code).toBe(1);
    expect(bad).toMatchObject([
      {
        name: 'registry.test: sign-in',
        detail: expect.stringContaining('rejects the user or password (401)') as string,
      },
    ]);
  });

  it.each([
    ['a registry that requires none', 200, 'requires no credentials'],
    ['one that knows better', 401, 'available without credentials, but rejects the user or password (401)'],
    ['one that forbids', 403, 'available without credentials, but rejects the user or password (403)'],
  ])('tries a password where no one asks for it: %s', async (_, status, detail) => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start();
    registry.behaviour.before = ({ headers }, response) => {
      if (headers.authorization !== undefined && status !== 200) response.writeHead(status).end();
    };
    const { code, results } = await examine(folder, signedIn(registry.host));
    expect(code).toBe(status === 200 ? 0 : 1);
    expect(results.find(({ name }) => name === 'registry.test: sign-in')?.detail).toContain(detail);
  });

  it('finds an unreachable host and an unknown one, and goes on', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start();
    const list = `${signedIn(registry.host)}\n- {namespace: a.test, host: '127.0.0.1:1', tls: false}\n- {namespace: b.test, host: nowhere.invalid}`;
    const { code, bad } = await examine(folder, list);
    expect(code).toBe(1);
    expect(bad).toMatchObject([
      { name: 'a.test: connection', detail: 'cannot be reached (ECONNREFUSED)' },
      { name: 'b.test: address', detail: expect.stringMatching(/^nowhere\.invalid cannot be resolved/) as string },
    ]);
  });

  it('finds certificates that are not accepted, and says for how long those that are', async () => {
    await using folder = await Folder.make();
    const good = makeCertificate();
    const expired = makeCertificate(undefined, [-4, -2]);
    await writeFile(folder.file('good.pem'), good.cert);
    await writeFile(folder.file('expired.pem'), expired.cert);
    await using first = await FakeRegistry.start({ tls: good });
    await using second = await FakeRegistry.start({ tls: expired });
    const list = [
      `- {namespace: good.test, host: '${first.host}', ca_file: good.pem}`,
      `- {namespace: stranger.test, host: '${first.host}'}`,
      `- {namespace: expired.test, host: '${second.host}', ca_file: expired.pem}`,
      `- {namespace: plain.test, host: '${first.host}', tls: false}`,
    ];
    const { code, bad, results } = await examine(folder, list.join('\n'));
    expect(code).toBe(1);
    // A day is soon.
    expect(results.find(({ name }) => name === 'good.test: certificate')).toMatchObject({
      status: 'warn',
      detail: 'valid for 0 days',
    });
    expect(results.find(({ name }) => name === 'good.test: sign-in')?.status).toBe('ok');
    expect(bad.map(({ name, detail }) => [name, /not accepted: [A-Z_]+/.exec(detail)?.[0]])).toEqual([
      ['stranger.test: certificate', 'not accepted: DEPTH_ZERO_SELF_SIGNED_CERT'],
      ['expired.test: certificate', 'not accepted: CERT_HAS_EXPIRED'],
      ['plain.test: sign-in', undefined],
    ]);
    expect(bad[0]!.detail).toMatch(/; to trust it, set ca_file of the upstream/);
    expect(bad[1]!.detail).toMatch(/expired \d days ago; renew it/);
    expect(bad[2]!.detail).toContain('if it expects TLS, remove tls: false');
  });

  it('shows the path below which repositories are requested', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start();
    const list = `- {namespace: docker.io, host: '${registry.host}/team/key', tls: false}`;
    const { code, results } = await examine(folder, list);
    expect(code).toBe(0);
    expect(results.find(({ name }) => name === 'docker.io: path prefix')).toMatchObject({
      status: 'ok',
      detail: `repositories are requested below ${registry.host}/team/key`,
    });
  });

  it('finds a registry that is none, and one that limits', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ outage: { status: 503 } });
    const broken = await examine(folder, signedIn(registry.host));
    expect([broken.code, broken.bad[0]?.detail]).toEqual([1, 'responds 503 to /v2/: not a registry, or not working']);
    registry.behaviour.outage = { status: 429 };
    const limited = await examine(folder, signedIn(registry.host));
    expect([limited.code, limited.bad]).toEqual([0, []]);
  });

  it('gives up waiting for a registry that says nothing', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ delayHeaders: 60_000 });
    const start = performance.now();
    const { code, bad } = await examine(folder, signedIn(registry.host));
    expect([code, bad[0]?.detail]).toEqual([1, 'took longer than 10 s']);
    expect(performance.now() - start).toBeLessThan(18_000);
  });

  it('finds a storage that is no folder', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('file'), '');
    await using registry = await FakeRegistry.start();
    const { code, bad } = await examine(folder, signedIn(registry.host), ['filesystem', '--root', 'file']);
    expect(code).toBe(1);
    expect(bad).toMatchObject([{ name: 'storage: open filesystem' }]);
  });

  it.runIf(hasMounts).each([
    ['read-only', 'ro', 'EROFS', 'storage: write'],
    ['full', 'size=64k', 'ENOSPC', 'storage: write'],
  ])('finds a storage that is %s', async (_, option, errno, name) => {
    await using folder = await Folder.make();
    await mkdir(folder.file('disk'));
    const program = await Program.run(['doctor', '--json', 'filesystem', '--root', 'disk'], {
      cwd: folder.path,
      mounts: `mount -t tmpfs -o ${option} none disk`,
    });
    const results = program.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Result);
    const bad = results.filter(({ status }) => status === 'fail');
    expect(bad[0]).toMatchObject({ name, detail: expect.stringContaining(errno) as string });
    expect(await readdir(folder.file('disk'))).toEqual([]);
  });

  it('finds a queue of webhooks that cannot be written, and mistakes of their file by line', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ auth: 'bearer', anonymous: false });
    const hooks = (text: string, ...more: readonly string[]) =>
      writeFile(folder.file('hooks.yaml'), text).then(() =>
        examine(folder, signedIn(registry.host), [
          '--webhooks-file',
          'hooks.yaml',
          ...more,
          'filesystem',
          '--root',
          'store',
        ]),
      );
    const good = '- name: ci\n  url: http://127.0.0.1:1/planted\n';
    const { bad, results } = await hooks(good);
    expect(bad).toEqual([]);
    expect(results.find(({ name }) => name === 'webhooks')?.detail).toMatch(
      /^ci; events can be kept in .*store\/events$/,
    );
    expect(await readdir(folder.file('store'))).not.toContain('events');
    const { bad: blocked } = await hooks(good, '--webhooks-queue', 'upstreams.yaml/queue');
    expect(blocked).toEqual([
      expect.objectContaining({ name: 'webhooks', detail: expect.stringContaining('ENOTDIR') as string }),
    ]);
    const { bad: mistakes } = await hooks(`${good}- name: other\n  url: ftp://planted\n`);
    expect(mistakes.map(({ detail }) => detail)).toEqual([
      'webhooks[1].url: text: must be an http or https URL without credentials and fragment (hooks.yaml, line 4)',
    ]);
  });

  it('tells of a wrong configuration as of anything else', async () => {
    await using folder = await Folder.make();
    const { code, bad } = await examine(folder, '- {namespace: a.test, host: a.test, colour: planted}');
    expect([code, bad]).toMatchObject([1, [{ name: 'configuration' }]]);
    expect(bad[0]!.detail).toContain('upstreams[0].colour');
  });

  it('prints a table for people', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start();
    await writeFile(folder.file('upstreams.yaml'), signedIn(registry.host));
    const args = ['--upstream-config-file', 'upstreams.yaml', '--default-namespace', 'registry.test'];
    const program = await Program.run([...args, 'doctor'], { cwd: folder.path });
    expect([program.code, program.stderr]).toEqual([0, '']);
    for (const line of program.stdout.trimEnd().split('\n')) expect(line).toMatch(/^(ok|warn) +\S.* +\d+ ms {2}\S/);
    expect((await readdir(folder.path)).sort()).toEqual(['data', 'upstreams.yaml']);
  });
});

describe('the default registry', { concurrent: true, timeout: 120_000 }, () => {
  const run = async (args: readonly string[], upstreams?: string) => {
    await using folder = await Folder.make();
    if (upstreams !== undefined) await writeFile(folder.file('upstreams.yaml'), upstreams);
    const file = upstreams === undefined ? [] : ['--upstream-config-file', 'upstreams.yaml'];
    const program = await Program.run([...file, ...args, 'doctor', '--json'], { cwd: folder.path });
    const lines = program.stdout.trimEnd().split('\n');
    return { code: program.code, results: lines.map((line) => JSON.parse(line) as Result) };
  };
  const of = (results: readonly Result[], registry: string) =>
    results.filter(({ name }) => name.startsWith(`${registry}: `));

  it('is tried without a configuration: Docker Hub', async () => {
    const { code, results } = await run([]);
    const [first, ...more] = of(results, 'docker.io');
    expect(first).toMatchObject({
      name: 'docker.io: address',
      detail: expect.stringContaining('registry-1.docker.io') as string,
    });
    // Whether Docker Hub can be reached from here is not the question.
    expect(code).toBe([first, ...more].some((result) => result?.status === 'fail') ? 1 : 0);
  });

  it('is tried without a configuration: another one', async () => {
    await using registry = await FakeRegistry.start({ tls: makeCertificate() });
    const { code, results } = await run(['--default-namespace', registry.host]);
    expect(of(results, registry.host).map(({ name, status }) => [name, status])).toEqual([
      [`${registry.host}: address`, 'ok'],
      [`${registry.host}: certificate`, 'fail'],
    ]);
    expect([code, of(results, 'docker.io')]).toEqual([1, []]);
  });

  it('is a warning beside others that are configured', async () => {
    await using registry = await FakeRegistry.start();
    const { code, results } = await run(['--default-namespace', '127.0.0.1:1'], signedIn(registry.host));
    expect(of(results, '127.0.0.1:1').at(-1)).toMatchObject({
      status: 'warn',
      detail: expect.stringMatching(/ECONNREFUSED.*; not configured, but the default/) as string,
    });
    expect([code, of(results, 'docker.io')]).toEqual([0, []]);
  });

  it('is tried once, as it is configured', async () => {
    await using registry = await FakeRegistry.start();
    const { code, results } = await run(['--default-namespace', 'Registry.Test'], signedIn(registry.host));
    expect([code, of(results, 'registry.test').map(({ name }) => name)]).toEqual([
      0,
      ['registry.test: address', 'registry.test: connection', 'registry.test: sign-in'],
    ]);
  });
});
