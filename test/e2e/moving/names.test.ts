import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { command } from './support/command.js';
import { layoutFiles, writeTar } from './support/layout.js';

const image = makeImage({ layers: [1_000], seed: 'named' });
const other = makeImage({ layers: [2_000], seed: 'named too' });
const { digest } = image.manifest;

describe('the name of an image in a layout', () => {
  let hosting: Hosting;
  let folder: Folder;
  let count = 0;
  /** Imports images with these names, the first one first. */
  const run = async (names: readonly string[], ...target: string[]) => {
    const images = names.map((tag, position) => ({ content: position === 0 ? image : other, tag }));
    const path = await writeTar(folder.file(`${(count += 1)}.tar`), layoutFiles(images));
    return command('import', '--server', hosting.url, path, ...target);
  };
  const statusOf = async (path: string) => (await hosting.ask('HEAD', `/v2/local/${path}`)).status;
  const digestOf = async (name: string, tag: string) =>
    (await hosting.ask('HEAD', `/v2/local/${name}/manifests/${tag}`)).headers['docker-content-digest'];
  const tagsOf = async (name: string) => {
    const { status, body } = await hosting.ask('GET', `/v2/local/${name}/tags/list`);
    return status === 200 ? (JSON.parse(body.toString()) as { tags: string[] | null }).tags : undefined;
  };
  const expectNothing = async (name: string) => {
    expect(await tagsOf(name)).toBeUndefined();
    expect(await statusOf(`${name}/blobs/${image.layers[0]!.digest}`)).toBe(404);
    expect(await statusOf(`${name}/manifests/${digest}`)).toBe(404);
  };

  beforeAll(async () => {
    hosting = await Hosting.start();
    folder = await Folder.make();
  });
  afterAll(async () => {
    await hosting[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  it.each([
    'release/1.0',
    'feature/login',
    'UP/../x y',
    'UP/app:1',
    'docker.io/library/nginx',
    'nginx:',
    'localhost:5000/app',
    'app:1@sha256:1',
    '-rc',
  ])('is refused before anything is written if it has no tag: %s', async (name) => {
    const { code, stdout } = await run([name, 'latest'], 'local/refused');
    expect([code, stdout]).toEqual([1, expect.stringContaining(`an image is named "${name}", which is no tag`)]);
    expect(stdout).toMatch(/^1 failed;/m);
    const alone = await run([name], 'local/refused');
    expect([alone.code, alone.stdout]).toEqual([1, expect.stringContaining(`"${name}"`)]);
    await expectNothing('refused');
    expect(await statusOf('refused/manifests/latest')).toBe(404);
  });

  it('does not have to be a tag if the destination has one, or another image is chosen', async () => {
    expect((await run(['feature/login'], 'local/given:mine')).code).toBe(0);
    expect([await tagsOf('given'), await digestOf('given', 'mine')]).toEqual([['mine'], digest]);
    expect((await run(['feature/login', '1.0'], '--tag', 'feature/*', 'local/chosen:login')).code).toBe(0);
    expect(await digestOf('chosen', 'login')).toBe(digest);
    expect((await run(['feature/login', '1.0'], '--tag', '1.*', 'local/rest')).code).toBe(0);
    expect([await tagsOf('rest'), await digestOf('rest', '1.0')]).toEqual([['1.0'], other.manifest.digest]);
    const both = await run(['feature/login', '1.0'], 'local/both:1');
    expect([both.code, both.stdout]).toEqual([
      1,
      expect.stringContaining('several images (feature/login, 1.0): choose one'),
    ]);
    await expectNothing('both');
  });

  it.each([
    ['1.0', '1.0'],
    ['nginx:1.27', '1.27'],
    ['docker.io/library/nginx:1.27', '1.27'],
    ['localhost:5000/team/app:2', '2'],
    ['REGISTRY.test/team/app:2', '2'],
    [`docker.io/library/nginx:3@${digest}`, '3'],
  ])('is a tag, or a reference with one: %s', async (name, tag) => {
    const repository = `taken-${(count += 1)}`;
    expect((await run([name], `local/${repository}`)).code).toBe(0);
    expect([await tagsOf(repository), await digestOf(repository, tag)]).toEqual([[tag], digest]);
  });

  it.each([digest, `docker.io/library/nginx@${digest}`])('gives no tag if it is a digest: %s', async (name) => {
    const repository = `digest-${(count += 1)}`;
    expect((await run([name], `local/${repository}`)).code).toBe(0);
    expect((await tagsOf(repository)) ?? []).toEqual([]);
    expect(await statusOf(`${repository}/manifests/${digest}`)).toBe(200);
  });

  it('names several repositories, of which none is written to one', async () => {
    for (const [names, listed] of [
      [['docker.io/library/nginx:1', 'registry.test/team/app:2'], '(library/nginx, team/app): '],
      [['foo:1', 'latest'], '(foo, one without a name): '],
      [Array.from({ length: 8 }, (_, position) => `r${position}:1`), '(r0, r1, r2, r3, r4, r5, r6, r7): '],
      [Array.from({ length: 9 }, (_, position) => `r${position}:1`), '(r0, r1, r2, r3, r4, r5, r6, r7, …): '],
    ] as const) {
      const { code, stdout } = await run(names, 'local/several');
      expect([code, stdout]).toEqual([1, expect.stringContaining(`it has several repositories ${listed}`)]);
      await expectNothing('several');
    }
  });
});
