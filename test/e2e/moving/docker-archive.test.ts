import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBlob } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { command } from './support/command.js';
import { writeTar } from './support/layout.js';
import type { TarFile } from './support/tar.js';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const layers = [makeBlob(3_000, 'saved/0').body, makeBlob(2_000_000, 'saved/1').body];

/** What `docker save` wrote before version 25; the second image repeats a layer by a symbolic link, as Docker did. */
function saved({
  diffIds = layers.map((body) => `sha256:${sha256(body)}`),
  pack = (b: Buffer) => b,
  tags = ['app:1'],
} = {}): TarFile[] {
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  const name = `${sha256(config)}.json`;
  const names = layers.map((_, position) => `layer${position}/layer.tar`);
  return [
    ...layers.map((body, position) => ({ name: names[position]!, body: pack(body) })),
    { name: 'again/layer.tar', type: '2', target: '../layer0/layer.tar' },
    { name, body: config },
    { name: 'repositories', body: '{}' },
    {
      name: 'manifest.json',
      body: JSON.stringify([{ Config: name, RepoTags: tags, Layers: ['again/layer.tar', names[1]] }]),
    },
  ];
}

describe('what docker save wrote', () => {
  let hosting: Hosting;
  let folder: Folder;
  const run = async (files: TarFile[], ...target: string[]) =>
    command('import', '--server', hosting.url, await writeTar(folder.file('saved.tar'), files), ...target);
  const manifestOf = async (reference: string) => {
    const { status, body, headers } = await hosting.ask('GET', `/v2/local/${reference}`);
    const document =
      status === 200 ? (JSON.parse(body.toString()) as { layers: { digest: string; mediaType: string }[] }) : undefined;
    return { status, digest: headers['docker-content-digest'], layers: document?.layers };
  };

  beforeAll(async () => {
    hosting = await Hosting.start();
    folder = await Folder.make();
  });
  afterAll(async () => {
    await hosting[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  it('gets a manifest of its configuration and layers, the same one every time', async () => {
    const first = await run(saved(), 'local/app');
    expect([first.code, first.stderr]).toEqual([0, '']);
    const { digest, layers: pushed } = await manifestOf('app/manifests/1');
    expect(pushed).toMatchObject(
      layers.map((body) => ({ digest: `sha256:${sha256(body)}`, mediaType: 'application/vnd.oci.image.layer.v1.tar' })),
    );
    const second = await run(saved(), 'local/app');
    expect([second.code, second.stdout]).toEqual([0, expect.stringMatching(/^1 skipped;/m)]);
    expect((await run(saved({ tags: ['registry.test:5000/team/app:2', 'other:3'] }), 'local')).code).toBe(0);
    expect((await manifestOf('team/app/manifests/2')).digest).toBe(digest);
    expect((await manifestOf('other/manifests/3')).digest).toBe(digest);
    expect((await run(saved({ tags: [] }), 'local/unnamed:4')).code).toBe(0);
    expect((await manifestOf('unnamed/manifests/4')).digest).toBe(digest);
  });

  it('may have compressed layers, as crane writes them', async () => {
    const { code } = await run(saved({ pack: (body) => gzipSync(body) }), 'local/packed');
    expect(code).toBe(0);
    const { layers: pushed } = await manifestOf('packed/manifests/1');
    expect(pushed).toMatchObject(
      layers.map((body) => ({
        digest: `sha256:${sha256(gzipSync(body))}`,
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      })),
    );
  });

  const wrong = layers.map(() => `sha256:${'0'.repeat(64)}`);
  const without = (name: string) => saved().filter((file) => file.name !== name);
  it.each<[string, TarFile[], RegExp]>([
    [
      'has a layer that its configuration does not know',
      saved({ diffIds: wrong }),
      /other content than its digest says|instead of/,
    ],
    [
      'has a compressed layer of other content',
      saved({ diffIds: wrong, pack: (b) => gzipSync(b) }),
      /other content than its diff_id/,
    ],
    ['has a compressed layer that is cut', saved({ pack: (b) => gzipSync(b).subarray(0, -20) }), /gzip cannot read it/],
    ['has fewer diff_ids than layers', saved({ diffIds: wrong.slice(1) }), /1 diff_ids, and manifest\.json 2 layers/],
    ['has a diff_id that is none', saved({ diffIds: ['x', 'y'] }), /a diff_id that is no digest/],
    ['has no layer', without('layer1/layer.tar'), /layer layer1\/layer\.tar is missing/],
    ['has a link to no layer', without('layer0/layer.tar'), /layer again\/layer\.tar is missing/],
    ['has no configuration', saved().filter(({ name }) => !/^\w{64}\.json$/.test(name)), /\.json is missing/],
    [
      'has a list that is none',
      [...without('manifest.json'), { name: 'manifest.json', body: '{}' }],
      /not a list of images/,
    ],
    [
      'has an empty list',
      [...without('manifest.json'), { name: 'manifest.json', body: '[]' }],
      /no image that was asked for/,
    ],
  ])('is refused if it %s', async (_, files, reason) => {
    const { code, stdout } = await run(files, 'local/refused');
    expect([code, stdout]).toEqual([1, expect.stringMatching(reason)]);
  });

  it.each<[string, TarFile[], RegExp]>([
    ['has a tag that is none', saved({ tags: ['app:no tag'] }), /which is no tag/],
    ['has two repositories', saved({ tags: ['a:1', 'b:1'] }), /several repositories \(a, b\): /],
    ['has two repositories, one with a path', saved({ tags: ['foo:1', 'bar/baz:2'] }), / \(foo, bar\/baz\): /],
    ['has a name without a tag', saved({ tags: ['ubuntu'] }), /"ubuntu", which is no tag/],
    [
      'has a reference without a tag',
      saved({ tags: ['registry.test/ubuntu'] }),
      /"registry.test\/ubuntu", which is no/,
    ],
  ])('is refused before anything is pushed if it %s', async (_, files, reason) => {
    const { code, stdout } = await run(files, 'local/names');
    expect([code, stdout]).toEqual([1, expect.stringMatching(reason)]);
    expect((await hosting.ask('GET', '/v2/local/names/tags/list')).status).toBe(404);
  });
});
