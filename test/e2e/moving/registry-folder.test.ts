import { createHash } from 'node:crypto';
import { rm, symlink } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeArtifact, makeImage, makeIndex, type FixtureContent } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { command } from './support/command.js';
import { blobsOf, writeFiles } from './support/layout.js';
import type { TarFile } from './support/tar.js';

const image = makeImage({ layers: [1_000, 2_000], seed: 'folder' });
const other = makeImage({ layers: [500], seed: 'folder/other' });
const index = makeIndex([{ image, platform: { os: 'linux', architecture: 'amd64' } }]);
const signature = makeArtifact(index, { seed: 'folder/signature' });

/** A foreign layer, whose content no registry has. */
const foreign = (() => {
  const { manifest, config } = makeImage({ layers: [10], seed: 'folder/foreign' });
  const document = JSON.parse(manifest.body.toString()) as { layers: object[] };
  document.layers = [
    {
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      digest: `sha256:${'f'.repeat(64)}`,
      size: 9,
      urls: ['https://x'],
    },
  ];
  const body = Buffer.from(JSON.stringify(document));
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  return { manifest: { body, digest, mediaType: manifest.mediaType }, config, layers: [] };
})();

const short = (digest: string) => digest.replace(':', '/');
const dataOf = (digest: string) => `blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;

/** The files of a repository, as `registry` has them. */
function repository(name: string, images: readonly [FixtureContent, tag?: string][]): TarFile[] {
  const base = `repositories/${name}`;
  return images.flatMap(([content, tag]) => {
    const blobs = blobsOf(content);
    const manifests = new Set(manifestsOf(content));
    return [
      ...blobs.map(({ digest, body }) => ({ name: dataOf(digest), body })),
      ...blobs.map(({ digest }) => ({
        name: `${base}/${manifests.has(digest) ? '_manifests/revisions' : '_layers'}/${short(digest)}/link`,
        body: digest,
      })),
      ...(tag === undefined
        ? []
        : [{ name: `${base}/_manifests/tags/${tag}/current/link`, body: content.manifest.digest }]),
    ];
  });
}

function manifestsOf(content: FixtureContent): string[] {
  return [content.manifest.digest, ...('children' in content ? content.children.flatMap(manifestsOf) : [])];
}

describe('the storage folder of registry 2 and 3', () => {
  let hosting: Hosting;
  let folder: Folder;
  const root = () => folder.file('docker/registry/v2');
  const run = (...args: string[]) => command('import', '--server', hosting.url, folder.path, ...args);
  const statusOf = async (path: string) => (await hosting.ask('HEAD', `/v2/local/${path}`)).status;

  beforeAll(async () => {
    hosting = await Hosting.start();
  });
  afterAll(() => hosting[Symbol.asyncDispose]());
  beforeEach(async () => {
    await (folder as Folder | undefined)?.[Symbol.asyncDispose]();
    folder = await Folder.make();
    await writeFiles(root(), [
      ...repository('team/app', [[index, '1.0'], [image, 'amd'], [signature], [foreign, 'foreign']]),
      ...repository('other', [[other, 'latest']]),
      { name: 'repositories/other/_uploads/x/data', body: 'x' },
    ]);
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  it('is taken whole, below a namespace, with what has no tag', async () => {
    const { code, stdout, stderr } = await run('local/all');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^5 taken; /m);
    expect(stdout).toMatch(/foreign .*without 1 layers that are not distributed/);
    for (const tag of ['1.0', 'amd', 'foreign']) expect(await statusOf(`all/team/app/manifests/${tag}`)).toBe(200);
    expect(await statusOf('all/other/manifests/latest')).toBe(200);
    const { body } = await hosting.ask('GET', `/v2/local/all/team/app/referrers/${index.manifest.digest}`);
    expect(body.toString()).toContain(signature.manifest.digest);
    expect((await run('local/all')).stdout).toMatch(/^5 skipped; /m);
  });

  it('is taken in part: repositories and tags by pattern, with what refers to them', async () => {
    const { code, stdout } = await run('--repository', 'team/*', '--tag', '1*', 'local/part/');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^2 taken; /m)]);
    expect(await statusOf('part/team/app/manifests/amd')).toBe(404);
    const none = await run('--repository', 'absent/**', 'local/part');
    expect([none.code, none.stdout]).toEqual([1, expect.stringContaining('no image that was asked for')]);
  });

  it.each<[string, string, RegExp]>([
    ['a blob', dataOf(image.layers[0]!.digest), /^failed .*1\.0 .*blob sha256:\w+ is missing$/m],
    [
      'the link of a blob',
      `repositories/team/app/_layers/${short(image.layers[0]!.digest)}/link`,
      /^failed .*1\.0 .*blob sha256:\w+ is missing$/m,
    ],
    [
      'the link of a manifest',
      `repositories/team/app/_manifests/revisions/${short(image.manifest.digest)}/link`,
      /amd .*has no link in the repository: it was deleted$/m,
    ],
    ['a manifest', dataOf(image.manifest.digest), /^failed .*amd .*manifest sha256:\w+ is missing$/m],
    [
      'the link of a tag',
      'repositories/team/app/_manifests/tags/amd/current/link',
      /^failed .*amd .*link is missing or damaged$/m,
    ],
  ])('is refused where %s is missing, and taken elsewhere', async (name, path, reason) => {
    await rm(`${root()}/${path}`);
    const target = `missing-${name.replaceAll(' ', '-')}`;
    const { code, stdout } = await run(`local/${target}`);
    expect([code, stdout]).toEqual([1, expect.stringMatching(reason)]);
    expect(await statusOf(`${target}/other/manifests/latest`)).toBe(200);
    expect(await statusOf(`${target}/team/app/manifests/amd`)).toBe(404);
  });

  it.each<[string, TarFile, RegExp]>([
    [
      'a blob',
      { name: dataOf(image.layers[0]!.digest), body: 'x'.repeat(1_000) },
      /other content than its digest says/,
    ],
    ['a manifest', { name: dataOf(image.manifest.digest), body: '{}' }, /other content than its digest says/],
    [
      'a link',
      { name: 'repositories/team/app/_manifests/tags/amd/current/link', body: '../../../../etc' },
      /missing or damaged/,
    ],
    [
      'a link that is a bomb',
      { name: 'repositories/team/app/_manifests/tags/amd/current/link', body: 'x'.repeat(10_000) },
      /more than 1024 bytes/,
    ],
  ])('is refused where %s has other content', async (name, file, reason) => {
    await writeFiles(root(), [file]);
    const target = `other-${name.replaceAll(' ', '-')}`;
    const { code, stdout } = await run(`local/${target}`);
    expect([code, stdout]).toEqual([1, expect.stringMatching(reason)]);
    expect(await statusOf(`${target}/team/app/manifests/amd`)).toBe(404);
  });

  it('is walked without its links, which may lead in circles', async () => {
    for (const name of ['a', 'b']) await symlink('.', `${root()}/repositories/${name}`);
    const { code, stdout } = await run('local/circle');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^5 taken; /m)]);
  });

  it('has many repositories, which cannot have one tag', async () => {
    const { code, stdout } = await run('local/app:1');
    expect([code, stdout]).toEqual([1, expect.stringContaining('many repositories cannot have one tag')]);
  });
});
