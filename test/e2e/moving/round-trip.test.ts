import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeArtifact, makeImage, makeIndex } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { command } from './support/command.js';
import { layoutFiles, writeFiles, writeTar } from './support/layout.js';

const amd64 = makeImage({ layers: [1_000, 3_000_000], seed: 'amd64' });
const arm64 = makeImage({ layers: [1_000, 20_000], seed: 'arm64', platform: { os: 'linux', architecture: 'arm64' } });
const sha512 = makeImage({ layers: [5_000], seed: 'sha512', algorithm: 'sha512' });
const index = makeIndex([
  { image: amd64, platform: { os: 'linux', architecture: 'amd64' } },
  { image: arm64, platform: { os: 'linux', architecture: 'arm64' } },
]);
const signature = makeArtifact(index, { seed: 'signature' });
const ofArm = makeArtifact(arm64, { seed: 'sbom' });
const ofSignature = makeArtifact(signature, { seed: 'again' });
const images = [
  { content: index, tag: '1.0' },
  { content: sha512, tag: 'strong' },
  { content: signature },
  { content: ofArm },
  { content: ofSignature },
];

describe('what is moved in and out', () => {
  let hosting: Hosting;
  let folder: Folder;
  const run = (...args: string[]) => command(args[0]!, '--server', hosting.url, ...args.slice(1));
  const digestOf = async (repository: string, tag: string) =>
    (await hosting.ask('HEAD', `/v2/local/${repository}/manifests/${tag}`)).headers['docker-content-digest'];
  const referrersOf = async (repository: string, digest: string) => {
    const { body } = await hosting.ask('GET', `/v2/local/${repository}/referrers/${digest}`);
    return (JSON.parse(body.toString()) as { manifests: { digest: string }[] }).manifests.map(({ digest: d }) => d);
  };
  const expectWhole = async (repository: string) => {
    expect(await digestOf(repository, '1.0')).toBe(index.manifest.digest);
    expect(await digestOf(repository, 'strong')).toBe(sha512.manifest.digest);
    expect(await referrersOf(repository, index.manifest.digest)).toEqual([signature.manifest.digest]);
    expect(await referrersOf(repository, arm64.manifest.digest)).toEqual([ofArm.manifest.digest]);
    expect(await referrersOf(repository, signature.manifest.digest)).toEqual([ofSignature.manifest.digest]);
  };

  beforeAll(async () => {
    hosting = await Hosting.start();
    folder = await Folder.make();
    await writeFiles(folder.file('layout'), layoutFiles(images));
  });
  afterAll(async () => {
    await hosting[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  it('is whole from a folder, and skipped the second time', async () => {
    const first = await run('import', folder.file('layout'), 'local/app');
    expect([first.code, first.stderr, first.stdout]).toEqual([0, '', expect.stringContaining('taken')]);
    expect(first.stdout).toContain(`taken    local/app:1.0  ${index.manifest.digest}\n`);
    expect(first.stdout).toMatch(/^5 taken; 12 blobs with 2\.9 MiB moved, 0 already there\n$/m);
    await expectWhole('app');
    const second = await run('import', folder.file('layout'), 'local/app');
    expect(second.stdout).toMatch(/^5 skipped; 0 blobs with 0 B moved, 0 already there\n$/m);
  });

  it('takes large blobs from another repository of the server', async () => {
    const received = () => [...hosting.mirror.log.matchAll(/"method":"PATCH"/g)].length;
    const before = received();
    expect((await run('import', '--tag', '1.0', folder.file('layout'), 'local/mounted')).code).toBe(0);
    expect(await digestOf('mounted', '1.0')).toBe(index.manifest.digest);
    expect([before, received()]).toEqual([1, 1]);
  });

  it.each([['out'], ['out.tar']])('has the same digests from %s', async (name) => {
    const exported = await run('export', 'local/app', folder.file(name));
    expect([exported.code, exported.stderr]).toEqual([0, '']);
    const copy = name.replace('.', '-');
    const imported = await run('import', folder.file(name), `local/${copy}`);
    expect([imported.code, imported.stderr]).toEqual([0, '']);
    await expectWhole(copy);
  });

  it('is an archive that tar reads, compressed or not', async () => {
    await promisify(execFile)('tar', ['-xf', folder.file('out.tar'), '-C', folder.path, '--one-top-level=unpacked']);
    expect((await readdir(folder.file('unpacked'))).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
    await promisify(execFile)('tar', ['-czf', folder.file('packed.tar.gz'), '-C', folder.file('unpacked'), '.']);
    expect((await run('import', folder.file('packed.tar.gz'), 'local/packed')).code).toBe(0);
    await expectWhole('packed');
  });

  it('is one tag, by its name or under another one, with what refers to it', async () => {
    expect((await run('import', '--tag', '1*', folder.file('layout'), 'local/one')).stdout).toMatch(/^4 taken;/m);
    expect(await referrersOf('one', signature.manifest.digest)).toEqual([ofSignature.manifest.digest]);
    expect((await run('import', '--tag', '1*', folder.file('layout'), 'local/one:new')).code).toBe(0);
    expect(await digestOf('one', 'new')).toBe(index.manifest.digest);
    const several = await run('import', folder.file('layout'), 'local/one:other');
    expect([several.code, several.stdout]).toEqual([
      1,
      expect.stringContaining('it has several images (1.0, strong): choose one with --tag'),
    ]);
    const exported = await run('export', '--json', 'local/one:new', folder.file('one.tar'));
    const lines = exported.stdout.trim().split('\n');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ images: { taken: 1, failed: 0 }, referrers: 3 });
  });

  it('is some of the platforms, and none that is not there', async () => {
    expect(
      (await run('import', '--platform', 'linux/arm64', '--tag', '1.0', folder.file('layout'), 'local/arm')).code,
    ).toBe(0);
    expect(await digestOf('arm', '1.0')).toBe(arm64.manifest.digest);
    expect(await referrersOf('arm', arm64.manifest.digest)).toEqual([ofArm.manifest.digest]);
    const both = ['--platform', 'linux/arm64', '--platform', 'linux/amd64'];
    expect((await run('export', ...both, 'local/app:1.0', folder.file('both'))).code).toBe(0);
    const missing = await run('export', '--platform', 'linux/s390x', 'local/app:1.0', folder.file('none'));
    expect([missing.code, missing.stdout]).toEqual([1, expect.stringContaining('the index has no linux/s390x')]);
    expect(existsSync(folder.file('none'))).toBe(false);
    expect((await readdir(folder.path)).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('keeps names of its own below a prefix', async () => {
    const named = (name: string) => ({ annotations: { 'io.containerd.image.name': name } });
    const several = [
      { content: arm64, ...named('docker.io/library/arm:1') },
      { content: amd64, ...named('registry.test:5000/team/amd:2') },
    ];
    const path = await writeTar(folder.file('several.tar'), layoutFiles(several));
    const refused = await run('import', path, 'local/app');
    expect([refused.code, refused.stdout]).toEqual([
      1,
      expect.stringContaining('several repositories (library/arm, team/amd'),
    ]);
    expect((await run('import', path, 'local/')).code).toBe(0);
    expect(await digestOf('library/arm', '1')).toBe(arm64.manifest.digest);
    expect(await digestOf('team/amd', '2')).toBe(amd64.manifest.digest);
  });

  it('overwrites nothing', async () => {
    for (const name of ['layout', 'out.tar']) {
      const { code, stdout } = await run('export', 'local/app:1.0', folder.file(name));
      expect([code, stdout]).toEqual([1, expect.stringContaining('exists: an export begins with nothing')]);
    }
    expect(await readFile(folder.file('out.tar'))).not.toHaveLength(0);
    const nowhere = await run('export', 'local/app:1.0', folder.file('absent/out.tar'));
    expect([nowhere.code, nowhere.stdout]).toEqual([1, expect.stringMatching(/^failed {3}local\/app:1.0 {2}ENOENT/m)]);
  });
});
