import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeArtifact, makeImage, makeIndex } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { command } from './support/command.js';
import { CuttingProxy } from './support/cutting-proxy.js';
import { layoutFiles, writeTar } from './support/layout.js';

const amd64 = makeImage({ layers: [1_000, 4_000_000], seed: 'from/amd64' });
const arm64 = makeImage({ seed: 'from/arm64', platform: { os: 'linux', architecture: 'arm64' } });
const index = makeIndex([
  { image: amd64, platform: { os: 'linux', architecture: 'amd64' } },
  { image: arm64, platform: { os: 'linux', architecture: 'arm64' } },
]);
const signature = makeArtifact(index, { seed: 'from/signature' });
const cosign = makeImage({ layers: [300], seed: 'from/cosign' });
const cosignTag = `sha256-${index.manifest.digest.slice(7)}.sig`;

describe('another registry', () => {
  let registry: FakeRegistry;
  let hosting: Hosting;
  const run = (...args: string[]) => command('import', '--server', hosting.url, ...args);
  const digestOf = async (reference: string) =>
    (await hosting.ask('HEAD', `/v2/local/${reference}`)).headers['docker-content-digest'];
  const referrersOf = async (repository: string, digest: string) => {
    const { body } = await hosting.ask('GET', `/v2/local/${repository}/referrers/${digest}`);
    return (JSON.parse(body.toString()) as { manifests: { digest: string }[] }).manifests.map(({ digest: d }) => d);
  };

  beforeAll(async () => {
    registry = await FakeRegistry.start({ auth: 'bearer', anonymous: false });
    registry.addImage('team/app', index, ['1.0', 'latest']);
    registry.addImage('team/app', arm64, ['arm']);
    registry.addImage('team/app', signature);
    registry.addImage('team/app', cosign, [cosignTag]);
    const { username, password } = registry.behaviour;
    const upstream = { namespace: 'registry.test', host: registry.host, username, password, ...registry.otherPorts };
    hosting = await Hosting.start({ upstreams: [upstream] });
  });
  afterAll(async () => {
    await hosting[Symbol.asyncDispose]();
    await registry.close();
  });

  it('gives one tag with what refers to it, signed in by the settings of the server', async () => {
    const { code, stdout, stderr } = await run('--from', 'registry.test/team/app:1.0', 'local/one');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^1 taken, 2 referrers; \d+ blobs with 3\.8 MiB moved/m);
    expect(await digestOf('one/manifests/1.0')).toBe(index.manifest.digest);
    expect(await referrersOf('one', index.manifest.digest)).toEqual([signature.manifest.digest]);
    expect(await digestOf(`one/manifests/${cosignTag}`)).toBe(cosign.manifest.digest);
    // Content came from there once, and was mounted.
    const layer = amd64.layers[1]!;
    expect(registry.bodyBytes({ method: 'GET', kind: 'blob', repository: 'team/app' })).toBeLessThan(
      layer.body.length * 1.1,
    );
  });

  it('gives all tags or some, and nothing twice', async () => {
    const all = await run('--from', 'registry.test/team/app', 'local/all');
    expect([all.code, all.stdout]).toEqual([0, expect.stringMatching(/^4 taken, 1 referrers;/m)]);
    const again = await run('--from', 'registry.test/team/app', 'local/all');
    expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(/^4 skipped.*; 0 blobs with 0 B moved/m)]);
    const some = await run('--from', 'docker://registry.test/team/app', '--tag', 'l*', '--tag', 'arm', 'local/some');
    expect([some.code, some.stdout]).toEqual([0, expect.stringMatching(/^2 taken, 2 referrers;/m)]);
    expect(await digestOf('some/manifests/1.0')).toBeUndefined();
  });

  it('without a referrers API gives those of its fallback tag', async () => {
    const fallback = makeIndex([{ image: signature }]);
    registry.behaviour.referrers = 'missing';
    registry.addImage('team/old', index, ['1.0']);
    registry.addImage('team/old', fallback, [`sha256-${index.manifest.digest.slice(7)}`]);
    const { code, stdout } = await run('--from', 'registry.test/team/old:1.0', 'local/old');
    registry.behaviour.referrers = 'native';
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^1 taken, 1 referrers;/m)]);
    expect(await referrersOf('old', index.manifest.digest)).toEqual([signature.manifest.digest]);
  });

  it('gives one platform, under another tag', async () => {
    const { code } = await run('--from', 'registry.test/team/app:1.0', '--platform', 'linux/arm64', 'local/arm:new');
    expect(code).toBe(0);
    expect(await digestOf('arm/manifests/new')).toBe(arm64.manifest.digest);
  });

  it('gives a manifest by its digest', async () => {
    const name = `registry.test/team/app@${arm64.manifest.digest}`;
    expect((await run('--from', name, 'local/digest')).code).toBe(0);
    expect(await digestOf(`digest/manifests/${arm64.manifest.digest}`)).toBe(arm64.manifest.digest);
  });

  it('is copied from a hosted repository without a byte', async () => {
    const { stdout } = await run('--from', 'local/one:1.0', 'local/two:1.0');
    expect(stdout).toMatch(/^1 taken, 2 referrers/m);
    expect(await digestOf('two/manifests/1.0')).toBe(index.manifest.digest);
  });

  it('keeps its names below a prefix', async () => {
    expect((await run('--from', 'registry.test/team/app:arm', 'local/kept/')).code).toBe(0);
    expect(await digestOf('kept/team/app/manifests/arm')).toBe(arm64.manifest.digest);
  });

  it('that has no such image is code 1', async () => {
    const none = await run('--from', 'registry.test/team/app:none', 'local/none');
    expect([none.code, none.stdout]).toEqual([1, expect.stringContaining('team/app:none does not exist')]);
    const some = await run(
      '--from',
      'registry.test/team/app:none',
      '--from',
      'registry.test/team/app:arm',
      'local/some',
    );
    expect([some.code, some.stdout]).toEqual([1, expect.stringMatching(/^1 (?:taken|skipped), 1 failed;/m)]);
    const absent = await run('--from', 'registry.test/team/absent', 'local/none');
    expect(absent.code).toBe(1);
    const several = await run('--from', 'registry.test/team/app', 'local/none:1');
    expect([several.code, several.stdout]).toEqual([1, expect.stringContaining('it has several images')]);
    expect((await hosting.ask('GET', '/v2/local/none/tags/list')).status).toBe(404);
  });

  it('and connections that are cut only cost what was lost', async () => {
    await using folder = await Folder.make();
    const big = makeImage({ layers: [6_000_000], seed: 'cut' });
    const path = await writeTar(folder.file('big.tar'), layoutFiles([{ content: big, tag: '1' }]));
    await using proxy = await CuttingProxy.start(hosting.url, 2, 2_000_000);
    const taken = await command('import', '--server', proxy.url, path, 'local/cut');
    expect([taken.code, taken.stdout, proxy.cut]).toEqual([0, expect.stringContaining('1 taken'), 2]);
    expect(await digestOf('cut/manifests/1')).toBe(big.manifest.digest);
    await using back = await CuttingProxy.start(hosting.url, 2, 2_000_000);
    const given = await command('export', '--server', back.url, 'local/cut:1', folder.file('out.tar'));
    expect([given.code, given.stdout, back.cut]).toEqual([0, expect.stringContaining('1 taken'), 2]);
    expect((await command('import', '--server', hosting.url, folder.file('out.tar'), 'local/back')).code).toBe(0);
    expect(await digestOf('back/manifests/1')).toBe(big.manifest.digest);
  });
});
