import { writeFile, mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hashSync } from 'bcryptjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { command } from './support/command.js';
import { CuttingProxy } from './support/cutting-proxy.js';
import { layoutFiles, writeFiles } from './support/layout.js';

const image = makeImage({ layers: [1_000], seed: 'small' });
const large = makeImage({ layers: [2_000_000], seed: 'large' });
describe('a server', () => {
  let folder: Folder;
  let hosting: Hosting;
  const images = [
    { content: image, tag: 'v1' },
    { content: large, tag: 'v2' },
  ];
  beforeAll(async () => {
    folder = await Folder.make();
    await writeFiles(folder.file('layout'), layoutFiles(images));
    const hosted = [{ namespace: 'local', immutableTags: ['v*'], maxSize: 1_000_000 }];
    hosting = await Hosting.start({ hosted, upstreams: [{ namespace: 'registry.test', host: '127.0.0.1:9' }] });
  });
  afterAll(async () => {
    await hosting[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  const run = (...args: string[]) => command('import', '--server', hosting.url, ...args);

  it('refuses by quota and immutable tags, with reasons, and takes the rest', async () => {
    const first = await run(folder.file('layout'), 'local/app');
    expect([first.code, first.stderr]).toEqual([1, '']);
    expect(first.stdout).toMatch(/^taken {4}local\/app:v1 /m);
    expect(first.stdout).toMatch(/^refused {2}local\/app:v2 {2}.*\b(?:limit|quota)\b.*/m);
    const other = makeImage({ layers: [10], seed: 'moved' });
    await writeFiles(folder.file('moved'), layoutFiles([{ content: other, tag: 'v1' }]));
    const moved = await run(folder.file('moved'), 'local/app');
    expect([moved.code, moved.stdout]).toEqual([1, expect.stringMatching(/^refused {2}local\/app:v1 {2}.*immutable/m)]);
    const lines = (await run('--json', folder.file('moved'), 'local/app')).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { image: 'local/app:v1', outcome: 'refused', reason: expect.stringContaining('immutable') as string },
      { images: { refused: 1 } },
    ]);
  });

  it('refuses a mirrored namespace', async () => {
    const { code, stdout } = await run(folder.file('layout'), 'registry.test/app');
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^refused .*registry\.test is .*local/m)]);
  });

  it('that is not there, or is none, ends the command with code 2', async () => {
    const absent = await command('import', '--server', 'http://127.0.0.1:9', folder.file('layout'), 'local/app');
    expect([absent.code, absent.stdout, absent.stderr]).toEqual([
      2,
      '',
      expect.stringMatching(/^cannot use the server at .*ECONNREFUSED\n$/),
    ]);
    const other = await command('export', '--server', `${hosting.url}/elsewhere`, 'local/app', folder.file('x'));
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/this is not a registry\n$/)]);
  });

  it('whose first connection is lost, or that is unavailable at first, is asked again', async () => {
    await using proxy = await CuttingProxy.start(hosting.url, 1, 0);
    const lost = await command('import', '--server', proxy.url, '--tag', 'v1', folder.file('layout'), 'local/again');
    expect([lost.code, lost.stderr, proxy.cut]).toEqual([0, '', 1]);
    let asked = 0;
    const server = createServer((_, response) => {
      asked += 1;
      response.writeHead(asked === 1 ? 503 : 404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const starting = await command('import', '--server', url, folder.file('layout'), 'local/again');
    await new Promise((resolve) => server.close(resolve));
    expect([starting.code, asked, starting.stderr]).toEqual([2, 2, expect.stringContaining('status 404')]);
  });

  it.each([
    [['import', 'local/app'], /give a SOURCE before the destination, or --from\n$/],
    [['import', 'x', 'local/App'], /local\/App: invalid repository name\n$/],
    [['import', 'x', 'local/app:no tag'], /not a valid tag|invalid repository name/],
    [['import', 'x', `local/app@sha256:${'0'.repeat(64)}`], /digests come from the source\n$/],
    [['import', 'x', 'local/:1'], /the destination must be NAMESPACE\/REPOSITORY|invalid repository name/],
    [['import', '--platform', 'arm', 'x', 'local/app'], /--platform must be such as linux\/arm64/],
    [['import', '--username', 'a', 'x', 'local/app'], /--username: must be set together with --password/],
    [['import', '--tagg', 'x', 'y'], /see oci-registry --help\n$/],
    [['export', 'local/app'], /see oci-registry --help\n$/],
    [['export', 'local/app@sha256:1', 'x'], /provided digest is not a valid digest\n$/],
  ])('is not asked for mistakes: %j', async (args, reason) => {
    const { code, stderr } = await command(...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(reason)]);
  });
});

describe('a server with an access file', () => {
  it('takes the credentials of options and of docker login', async () => {
    await using folder = await Folder.make();
    await writeFiles(folder.file('layout'), layoutFiles([{ content: image, tag: '1' }]));
    const access = `users_file: ${folder.file('users')}\nrules: [{ repositories: ['local/**'], who: ['user:anna'], may: [push] }]\n`;
    await writeFile(folder.file('users'), `anna:${hashSync('secret', 4)}\n`);
    await using hosting = await Hosting.start({ access, server: {} });
    const target = ['--server', hosting.url, folder.file('layout'), 'local/app'];
    const anonymous = await command('import', ...target);
    expect([anonymous.code, anonymous.stdout]).toEqual([1, expect.stringContaining('or sign in with docker login')]);
    const wrong = await command('import', '--username', 'anna', '--password', 'planted-wrong', ...target);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('it refuses the user name or password')]);
    expect(wrong.stdout + wrong.stderr).not.toContain('planted');
    await mkdir(folder.file('docker'));
    const auth = Buffer.from('anna:secret').toString('base64');
    const auths = { [new URL(hosting.url).host]: { auth } };
    await writeFile(folder.file('docker/config.json'), JSON.stringify({ auths }));
    process.env.DOCKER_CONFIG = folder.file('docker');
    try {
      const signedIn = await command('import', ...target);
      expect([signedIn.code, signedIn.stderr]).toEqual([0, '']);
    } finally {
      delete process.env.DOCKER_CONFIG;
    }
  });
});
