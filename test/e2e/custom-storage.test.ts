import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob } from '../fixtures/images.js';
import { Folder } from './support/folder.js';
import { installPackage } from './support/installed-package.js';
import { build, Program, type ProgramOptions } from './support/program.js';

const anyPort = ['--listen', '127.0.0.1:0'];
const blob = makeBlob(2_000_000, 'kept elsewhere');
const path = `/v2/registry.test/team/app/blobs/${blob.digest}`;

let home: Folder;
let installed: { program: string; provider: string };
let registry: FakeRegistry;

beforeAll(async () => {
  await build();
  home = await Folder.make();
  installed = await installPackage(home);
  registry = await FakeRegistry.start();
  registry.addBlob('team/app', blob);
  await writeFile(home.file('u.yaml'), `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`);
}, 240_000);

afterAll(async () => {
  await registry.close();
  await home[Symbol.asyncDispose]();
});

describe('the example provider', { timeout: 120_000 }, () => {
  it('passes the contract, written against the packed package and nothing else', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--test', 'provider.test.mjs'], {
      cwd: installed.provider,
      env: { PATH: process.env['PATH'] },
    });
    const count = (what: string) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(stdout)![1]);
    expect(count('fail')).toBe(0);
    expect(count('pass')).toBeGreaterThan(80);
  });

  const ways: [string, string, (program: string) => ProgramOptions][] = [
    ['a package, with a copy of the port of its own', 'example-provider', () => ({})],
    ['a package, in the packed program', 'example-provider', (script) => ({ script })],
    ['a path', './node_modules/example-provider/provider.mjs', () => ({})],
  ];
  it.each(ways)('keeps content as %s', async (name, module, options) => {
    const kept = `kept-${name.replaceAll(/\W+/g, '-')}`;
    const storage = ['custom', '--module', module, '--option', `folder=${kept}`, '--option=password=planted,a=b,c'];
    const args = [...anyPort, '--upstream-config-file', 'u.yaml', ...storage];
    for (const cache of ['MISS', 'HIT']) {
      await using program = await Program.start(args, { cwd: home.path, ...options(installed.program) });
      const reply = await request(`${program.url}${path}`);
      expect([reply.status, reply.headers['x-cache'], reply.body.equals(blob.body)]).toEqual([200, cache, true]);
      // An absence that the provider tells is one: the registry is asked, and its answer is the answer.
      expect((await request(`${program.url}/v2/registry.test/team/app/manifests/absent`)).status).toBe(404);
      program.kill('SIGTERM');
      expect(await program.end).toEqual({ code: 0, signal: null });
      expect(program.stdout).toContain('keeping content in ');
      expect(program.stdout + program.stderr).not.toMatch(/planted|kept-a/);
    }
    const files = await readdir(home.file(kept), { recursive: true });
    expect(files.some((file) => file.endsWith(blob.digest.slice('sha256:'.length)))).toBe(true);
  });

  it('takes its options from the variable too', async () => {
    const env = { CUSTOM_MODULE: 'example-provider', CUSTOM_OPTIONS: 'folder=kept-by-variable, password=planted' };
    await using program = await Program.start([...anyPort, 'custom'], { env, cwd: home.path });
    expect((await readdir(home.file('kept-by-variable'))).sort()).toEqual(['ingest', 'objects']);
    expect(program.isRunning).toBe(true);
  });

  it('checks its options with the rules of the program', async () => {
    const args = ['custom', '--module', 'example-provider', '--option', 'pasword=planted', '--option', 'folder='];
    const { code, stderr } = await Program.run([...anyPort, ...args], { cwd: home.path });
    expect([code, stderr]).toEqual([
      2,
      'example-provider cannot be opened: custom --option folder: empty text: must be the path of a folder; ' +
        'custom --option pasword: is not a known setting; did you mean password?\n',
    ]);
  });
});

describe('options', { concurrent: true, timeout: 60_000 }, () => {
  it('arrive as they were written, each flag one, with commas and equals signs, the last of a name', async () => {
    await using folder = await Folder.make();
    const text =
      'export default (options) => { throw new Error(Object.entries(options).flat().map((t) => [...t].join(" ")).join("|")) }';
    await writeFile(folder.file('tell.mjs'), text);
    const options = ['a=1', 'b=x,y=z', 'c=', 'a=2=3', 'd.e-f=ü €'].flatMap((option) => ['--option', option]);
    const { code, stderr } = await Program.run(['custom', '--module', './tell.mjs', ...options], { cwd: folder.path });
    expect([code, stderr]).toEqual([2, './tell.mjs cannot be opened: a|2 = 3|b|x , y = z|c||d . e - f|ü   €\n']);
  });

  it.each(['planted', '=planted', '1=planted', '__proto__=planted'])('like %s are a mistake', async (option) => {
    const { code, stdout, stderr } = await Program.run(['custom', '--module', './x.mjs', '--option', option]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^custom --option: a list: must be comma-separated name=value pairs/);
    expect(stderr).not.toContain('planted');
  });
});

describe('a module that is none', { concurrent: true, timeout: 60_000 }, () => {
  const lacks =
    'initialize, read, write, create, isExclusive, move, touch, capacity, urlOf, open, stat, delete, list, createIngest, sweepIngests, close';
  const cases: [string, string, string][] = [
    ['exports nothing', 'export const provider = 1', 'm.mjs has no default export that is a class or a function'],
    ['exports a value', 'export default {}', 'm.mjs has no default export that is a class or a function'],
    ['is broken', 'export default class {', 'm.mjs cannot be loaded: '],
    ['throws', 'throw new Error("no luck\\n with planted")', 'm.mjs cannot be loaded: no luck; with ***'],
    ['throws nothing', 'throw undefined', 'm.mjs cannot be loaded: undefined'],
    ['imports what is not there', 'import "absent-package"', 'm.mjs cannot be loaded: Cannot find package'],
    [
      'has a class that is no provider',
      'export default class {}',
      `m.mjs does not provide a storage provider: it lacks ${lacks}`,
    ],
    [
      'has a function that gives nothing',
      'export default () => {}',
      `m.mjs does not provide a storage provider: it lacks ${lacks}`,
    ],
    ['rejects', 'export default async ({ key }) => { throw key }', 'm.mjs cannot be opened: ***'],
    [
      'lacks something',
      'export default class { initialize() {} read() {} write() {} create() {} move() {} touch() {} capacity() {} urlOf() {} open() {} stat() {} list() {} createIngest() {} sweepIngests() {} close() {} }',
      'm.mjs does not provide a storage provider: it lacks isExclusive, delete',
    ],
    [
      'cannot be used',
      'import P from "./node_modules/example-provider/provider.mjs"; export default class extends P { constructor(o, c) { super({ folder: "." }, c) } async initialize() { throw new TypeError("no planted here") } }',
      'm.mjs cannot be used: no *** here',
    ],
  ];
  it.each(cases)('because it %s ends the start with one line', async (_, text, line) => {
    const name = `case-${cases.findIndex(([, each]) => each === text)}`;
    await mkdir(home.file(name), { recursive: true });
    await writeFile(home.file(`${name}/m.mjs`), text.replace('./node_modules', '../node_modules'));
    const args = [...anyPort, 'custom', '--module', `./${name}/m.mjs`, '--option', 'key=planted'];
    const { code, stdout, stderr } = await Program.run(args, { cwd: home.path });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.startsWith(`./${name}/${line}`), stderr).toBe(true);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).not.toMatch(/planted| {4}at /);
  });

  it.each(['absent-package', '@absent/package', './absent.mjs', '/nowhere/absent.mjs', 'example-provider/absent'])(
    'because there is none named %s ends the start with one line',
    async (module) => {
      const { code, stderr } = await Program.run([...anyPort, 'custom', '--module', module], { cwd: home.path });
      expect([code, stderr]).toEqual([2, `there is no module ${module} in or above ${home.path}\n`]);
    },
  );

  it('is missing altogether', async () => {
    const { code, stderr } = await Program.run([...anyPort, 'custom'], { cwd: home.path });
    expect([code, stderr]).toEqual([2, 'custom --module: missing: must be a package or a path\n']);
  });
});
