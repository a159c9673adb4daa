import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { request } from '../../fakes/request.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { token } from './support.js';

beforeAll(build, 180_000);

const inParallel = { concurrent: true, timeout: 120_000 };

/** A mirror as a person runs it, with an admin address of its own, and a registry behind it. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly registry: FakeRegistry,
    readonly folder: Folder,
    readonly program: Program,
  ) {}

  static async start(adminListen = '127.0.0.1:0', env: Record<string, string> = {}): Promise<Scene> {
    const registry = await FakeRegistry.start();
    const folder = await Folder.make();
    const upstreams = `- {namespace: registry.test, host: '${registry.host}', tls: false}`;
    await writeFile(folder.file('upstreams.yaml'), upstreams);
    const args = ['--listen', '127.0.0.1:0', '--upstream-config-file', 'upstreams.yaml'];
    const all = { ADMIN_LISTEN: adminListen.replace('@', `${folder.path}/`), ...env };
    return new Scene(registry, folder, await Program.start(args, { env: all, cwd: folder.path }));
  }

  get adminUrl(): string {
    return /serving \/_admin at ([^"]+)/.exec(this.program.stdout)![1]!;
  }

  run(...args: readonly string[]) {
    return Program.run(args, { env: { ADMIN_URL: this.adminUrl }, cwd: this.folder.path });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await this.registry.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

const image = makeImage({ layers: [1_000, 2_000_000], seed: 'commands' });

describe('the commands', inParallel, () => {
  it('warm, show, compare, sweep and remove', async () => {
    await using scene = await Scene.start();
    scene.registry.addImage('team/app', image, ['1.0']);
    await writeFile(scene.folder.file('list'), '# images\nregistry.test/team/app:1.0 # ours\n\n');
    const warmed = await scene.run('warm', '--file', 'list');
    expect([warmed.code, warmed.stderr]).toEqual([0, '']);
    expect(warmed.stdout).toBe('done    registry.test/team/app:1.0  3 blobs, 1.9 MiB\n');
    const usage = await scene.run('usage', '--repositories');
    expect([usage.code, usage.stderr]).toEqual([0, '']);
    expect(usage.stdout).toMatch(/^2\.0 MiB in 4 pieces of content, 0 damaged\n.*registry\.test\/team\/app  1 manif/);
    const scrubbed = await scene.run('scrub');
    expect([scrubbed.code, scrubbed.stderr]).toEqual([0, '']);
    expect(scrubbed.stdout).toMatch(/^checked 4 objects: 1\.9 MiB, 0 damaged, 0 failed\n$/);
    const swept = await scene.run('sweep', '--json');
    expect([swept.code, JSON.parse(swept.stdout)]).toMatchObject([0, { failed: 0 }]);
    const layer = image.layers[0]!.digest;
    const names = ['registry.test/team/app:1.0', `registry.test/team/app@${layer}`, 'registry.test/team/none'];
    const removed = await scene.run('remove', ...names);
    expect(removed.code).toBe(1);
    expect(removed.stdout).toBe(
      `removed ${names[0]}\nremoved ${names[1]}\nfailed  ${names[2]}: manifest unknown to registry\n`,
    );
    expect((await scene.run('remove', names[0]!)).code).toBe(1);
  });

  it('explain and refresh', async () => {
    await using scene = await Scene.start(undefined, { HOSTED_NAMESPACES: 'local', ALLOW_ANONYMOUS_PUSH: 'true' });
    scene.registry.addImage('team/app', image, ['1.0']);
    const name = 'registry.test/team/app:1.0';
    const unknown = await scene.run('explain', name, '--as', 'user:anna');
    expect([unknown.code, unknown.stderr]).toEqual([0, '']);
    expect(unknown.stdout).toMatch(/^registry\.test\/team\/app:1\.0 \(mirrored\)\nlast pull {3}unknown: /);
    expect(unknown.stdout).toMatch(
      /\nnow {9}ask: .*\n +would send GET http:.*\/v2\/team\/app\/manifests\/1\.0 without/,
    );
    const refreshed = await scene.run('refresh', name, 'registry.test/team/none', `x@${image.manifest.digest}`);
    expect([refreshed.code, refreshed.stderr]).toEqual([1, '']);
    expect(refreshed.stdout.split('\n')).toEqual([
      `refreshed ${name} is ${image.manifest.digest}`,
      'failed    registry.test/team/none: manifest unknown to registry',
      expect.stringMatching(/^failed {4}x@.*: only tags are refreshed$/),
      '',
    ]);
    expect((await scene.run('refresh', name)).stdout).toBe(`unchanged ${name} is ${image.manifest.digest}\n`);
    const known = await scene.run('explain', '--json', name);
    expect([known.code, JSON.parse(known.stdout)]).toMatchObject([0, { reference: name, now: { outcome: 'hit' } }]);
    const missing = await scene.run('explain', 'registry.test/team/other:latest');
    expect([missing.code, missing.stderr]).toEqual([0, '']);
    await request(`${scene.program.url}/v2/registry.test/team/other/manifests/latest`);
    const refused = await scene.run('explain', 'registry.test/team/other:latest');
    expect([refused.code, refused.stderr]).toEqual([1, '']);
    expect(refused.stdout).toMatch(/\nlast pull {3}refused at .*MANIFEST_UNKNOWN/);
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });
    const push = { method: 'PUT', headers: { 'content-type': mediaType }, body };
    const pushed = await fetch(`${scene.program.url}/v2/local/app/manifests/1`, push);
    expect(pushed.status).toBe(201);
    expect((await scene.run('explain', 'local/app:1')).stdout).toMatch(/\n +permanent: pushed 20\d\d-.*, \d+ s ago\n/);
    const wrong = await scene.run('explain', '<script>');
    expect([wrong.code, wrong.stdout, wrong.stderr]).toEqual([2, '', 'invalid repository name\n']);
  });

  it('warm with events for machines, and code 1 for what fails', async () => {
    await using scene = await Scene.start();
    scene.registry.addImage('team/app', image, ['1.0']);
    const warmed = await scene.run('warm', '--json', 'registry.test/team/app:1.0', 'registry.test/team/none');
    expect([warmed.code, warmed.stderr]).toEqual([1, '']);
    const events = warmed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { state: string });
    expect(events.map(({ state }) => state).filter((state) => state !== 'pulling')).toEqual(['done', 'failed']);
  });

  it('work over a socket file', async () => {
    await using scene = await Scene.start('unix:@admin.sock');
    const program = await Program.run(['usage', '--server', 'unix:admin.sock'], { cwd: scene.folder.path });
    expect([program.code, program.stderr]).toEqual([0, '']);
  });

  it('work at the main address with the token, and without it find nothing', async () => {
    await using scene = await Scene.start('off', { ADMIN_TOKEN: token });
    const server = ['--server', scene.program.url];
    const good = await Program.run(['usage', ...server], { env: { ADMIN_TOKEN: token } });
    expect([good.code, good.stderr]).toEqual([0, '']);
    for (const args of [[...server, '--token', 'planted-but-wrong-token'], server]) {
      const { code, stdout, stderr } = await Program.run(['usage', ...args]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^cannot use the server at http:.*no admin API at this address, or the token is wrong\n$/);
      expect(stderr).not.toContain('planted');
    }
    expect(scene.program.stdout).not.toContain('planted');
  });

  it.each([
    [['usage', '--server', 'http://127.0.0.1:1'], /^cannot use the server at http:\/\/127\.0\.0\.1:1: ECONNREFUSED\n$/],
    [['usage', '--server', 'unix:/nowhere.sock'], /^cannot use .*: ENOENT\n$/],
    [['usage', '--server', 'nonsense'], /^--server: must be an http or https URL/],
    [['warm', '--server', 'http://u:planted@h/'], /^--server: must be an http or https URL/],
    [['warm'], /^no images given/],
    [['warm', '--file', 'absent'], /^--file: cannot be read: ENOENT: \/\S+\/absent\n$/],
    [['usage', '--tokn=planted'], /see oci-registry --help\n$/],
    [['remove'], /see oci-registry --help\n$/],
  ])('%j end with code 2 and a line', async (args, line) => {
    const { code, stdout, stderr } = await Program.run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(line);
    expect(stderr).not.toContain('planted');
  });

  it('print no options of the server in their help', async () => {
    const { code, stdout } = await Program.run(['warm', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('--platform <os/arch>');
    expect(stdout).not.toContain('--listen');
  });

  it.runIf(existsSync('/usr/bin/script'))('draw a bar on a terminal, and take it away', async () => {
    await using scene = await Scene.start();
    scene.registry.addImage('team/app', image, ['1.0']);
    scene.registry.behaviour.bytesPerSecond = 1_500_000;
    const main = join(import.meta.dirname, '../../../dist/main.js');
    const command = `${process.execPath} ${main} warm registry.test/team/app:1.0`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { PATH: process.env.PATH ?? '', ADMIN_URL: scene.adminUrl, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(0);
    expect(output).toMatch(/\[#+\.+\] +\d+% registry\.test\/team\/app:1\.0 {2}[\d.]+ \w+ of 1\.9 MiB/);
    expect(output).toMatch(/\r\u001b\[Kdone {4}registry\.test\/team\/app:1\.0 {2}3 blobs, 1\.9 MiB\r\n/);
    expect(output.endsWith('\r\u001b[K')).toBe(true);
  });
});

describe('the admin address', inParallel, () => {
  const taken = async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    return { other, address: `127.0.0.1:${(other.address() as AddressInfo).port}` };
  };

  it('that is taken and was asked for ends the start with a line', async () => {
    await using folder = await Folder.make();
    const { other, address } = await taken();
    const program = await Program.run(['--listen', '127.0.0.1:0', '--admin-listen', address], { cwd: folder.path });
    other.close();
    expect(program.code).toBe(2);
    expect(program.stderr).toMatch(
      /^cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE: .+ with --admin-listen \(ADMIN_LISTEN\)\n$/,
    );
  });

  it('that is taken and is only the default costs a warning', async () => {
    await using folder = await Folder.make();
    const other = createServer().listen(8081, '127.0.0.1');
    // Somebody else may have it already, which is as good.
    await Promise.race([once(other, 'listening'), once(other, 'error')]).catch(() => undefined);
    const args = ['--listen', '127.0.0.1:0', 'filesystem', '--root', 'here'];
    await using program = await Program.start(args, { env: { ADMIN_LISTEN: '' }, cwd: folder.path });
    other.close();
    expect(program.stdout).toContain('there is no admin address: cannot listen on 127.0.0.1:8081: EADDRINUSE');
    expect((await request(`${program.url}/v2/`)).status).toBe(200);
  });
});
