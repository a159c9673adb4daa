import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobOf, makeArtifact, makeImage, makeIndex, makeSchema1 } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { command } from './support/command.js';
import { layoutFiles, writeFiles, writeTar } from './support/layout.js';
import { tar, type TarFile } from './support/tar.js';
import { Temporary } from './support/temporary.js';

const image = makeImage({ layers: [1_000, 2_000_000], seed: 'bad' });
const good = layoutFiles([{ content: image, tag: '1' }]);
const layer = `blobs/${image.layers[1]!.digest.replace(':', '/')}`;
const without = (name: string) => good.filter((file) => file.name !== name);
const json = (document: object) => blobOf(Buffer.from(JSON.stringify(document)));
const ociIndex = 'application/vnd.oci.image.index.v1+json';

let deep: Parameters<typeof makeIndex>[0][number]['image'] = image;
for (let depth = 0; depth < 12; depth += 1) deep = makeIndex([{ image: deep }]);

const partial = makeIndex([{ image, platform: { os: 'linux', architecture: 'amd64' } }]);

/** An index that lists a manifest with other content than it says. */
const wrongChild = json({
  schemaVersion: 2,
  mediaType: ociIndex,
  manifests: [{ mediaType: ociIndex, digest: `sha256:${'a'.repeat(64)}`, size: 2 }],
});
const strange = json({ schemaVersion: 2, mediaType: 'text/plain', config: {}, layers: [] });
const schema1 = makeSchema1('app', '1');

const archives: Record<string, [files: TarFile[], reason: RegExp]> = {
  'leads out of it with ..': [[...good, { name: 'a/../../evil', body: 'x' }], /leads out of it: a\/\.\.\/\.\.\/evil/],
  'leads out of it from the root': [[...good, { name: '/etc/evil', body: 'x' }], /leads out of it: \/etc\/evil/],
  'has a symbolic link for a layer': [
    [...without(layer), { name: layer, type: '2', target: '/etc/passwd' }],
    /link that leads out of the archive/,
  ],
  'has a link upwards for a layer': [
    [...without(layer), { name: layer, type: '2', target: '../../../../etc/passwd' }],
    /link that leads out/,
  ],
  'has a hard link to nothing': [
    [...without(layer), { name: layer, type: '1', target: 'absent' }],
    /blob sha256:\w+ is missing/,
  ],
  'has links in a circle': [[...without(layer), { name: layer, type: '1', target: layer }], /too many links/],
  'has a device for a layer': [[...without(layer), { name: layer, type: '3' }], /is not a regular file/],
  'has a folder for its index': [
    [...without('index.json'), { name: 'index.json', type: '5' }],
    /is not a regular file/,
  ],
  'has a header of gigabytes': [[{ name: 'x', type: 'x', size: 2 ** 31 }, ...good], /truncated/],
  'has a long name of megabytes': [
    [{ name: 'x', type: 'L', body: Buffer.alloc(2 ** 21, 'a') }, ...good],
    /header of more than/,
  ],
  'has a layer twice': [[...good, { name: layer, body: 'other' }], /twice, with different sizes/],
  'has a layer with other content': [
    [...without(layer), { name: layer, body: Buffer.alloc(2_000_000) }],
    /blob sha256:\w+ has other content than its digest says/,
  ],
  'has a layer of another size': [
    [...without(layer), { name: layer, body: 'short' }],
    /has 5 bytes instead of 2000000/,
  ],
  'has no layer': [without(layer), /blob sha256:\w+ is missing/],
  'has no manifest': [without(`blobs/${image.manifest.digest.replace(':', '/')}`), /manifest sha256:\w+ is missing/],
  'has no index': [without('index.json'), /index\.json is missing/],
  'is a layout of another version': [
    [...without('oci-layout'), { name: 'oci-layout', body: '{"imageLayoutVersion":"2.0.0"}' }],
    /version of the layout is not 1/,
  ],
  'has an index that is no JSON': [[...without('index.json'), { name: 'index.json', body: '{' }], /index\.json: /],
  'has an index that is a bomb': [
    [...without('index.json'), { name: 'index.json', body: '['.repeat(100_000) }],
    /index\.json: /,
  ],
  'has an index without manifests': [
    [...without('index.json'), { name: 'index.json', body: '{}' }],
    /no list of manifests/,
  ],
  'has a digest that leads elsewhere': [
    [...without('index.json'), { name: 'index.json', body: '{"manifests":[{"digest":"sha256:../../evil"}]}' }],
    /no valid digest/,
  ],
  'names two images the same': [
    layoutFiles([image, makeImage({ seed: 'x' })].map((content) => ({ content, tag: '1' }))),
    /two images have the name 1/,
  ],
  'has a name that is no tag': [layoutFiles([{ content: image, tag: 'not a tag' }]), /"not a tag", which is no tag/],
  'has indexes in indexes without end': [layoutFiles([{ content: deep, tag: '1' }]), /more than 8 nested indexes/],
  'has an index of what is not there': [
    layoutFiles([{ content: { manifest: { ...wrongChild, mediaType: ociIndex } }, tag: '1' }]),
    /manifest sha256:a+ is missing/,
  ],
  'has not all platforms of its index': [
    layoutFiles([{ content: partial, tag: '1' }], { without: image.manifest.digest }),
    /manifest sha256:\w+ is missing: take the platforms that are there with --platform/,
  ],
  'has a manifest of an unknown type': [
    layoutFiles([{ content: { manifest: { ...strange, mediaType: 'text/plain' } }, tag: '1' }]),
    /the document is of type text\/plain/,
  ],
  'has a manifest of schema 1': [
    layoutFiles([{ content: schema1, tag: '1' }]),
    /schema 1.*pull the image with an old Docker/,
  ],
  'has something else': [[{ name: 'readme', body: 'x' }], /neither an OCI layout nor what docker save writes/],
  'is of an ancient Docker': [[{ name: 'repositories', body: '{}' }], /Docker before version 1\.10/],
};

describe('an archive is refused that', () => {
  let hosting: Hosting;
  let folder: Folder;
  const importing = (path: string) => command('import', '--server', hosting.url, path, 'local/bad');
  /** Code 1, one reason, and nothing that is tagged. */
  const expectRefused = async (path: string, reason: RegExp) => {
    const { code, stdout, stderr } = await importing(path);
    expect(stdout).toMatch(reason);
    expect(stdout.split('\n')[0]!.length).toBeLessThan(600);
    expect([code, stderr]).toEqual([1, '']);
    expect((await hosting.ask('GET', '/v2/local/bad/manifests/1')).status).toBe(404);
  };
  let temporary: Temporary;

  beforeAll(async () => {
    hosting = await Hosting.start();
    folder = await Folder.make();
    temporary = await Temporary.make();
  });
  afterAll(async () => {
    await temporary[Symbol.asyncDispose]();
    await hosting[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  it.each(Object.entries(archives))('%s', async (name, [files, reason]) => {
    await expectRefused(await writeTar(folder.file(`${name}.tar`), files), reason);
  });

  it('is cut anywhere, compressed or not', async () => {
    const whole = tar(good);
    for (const [name, bytes, reason] of [
      ['in content', whole.subarray(0, 1_500_000), /truncated/],
      ['in padding', whole.subarray(0, 700), /truncated.*index\.json is not in it/],
      ['in a header', whole.subarray(0, 1_200), /truncated/],
      ['after its index', tar(good.slice(0, 2), { trailer: false }), /truncated.*blobs\/sha256\/\w+ is not in it/],
      ['before its last entry', tar(good.slice(0, -1), { trailer: false }), /truncated.*blobs\/sha256\/\w+ is not/],
      ['before what names its kind', tar(good.slice(2), { trailer: false }), /truncated.*neither an OCI layout/],
      ['compressed', gzipSync(whole).subarray(0, 100_000), /gzip cannot read it/],
      ['empty', Buffer.alloc(0), /neither an OCI layout/],
      ['noise', Buffer.from('noise '.repeat(1000)), /not a tar archive/],
      ['zstd', Buffer.from('28b52ffd0000', 'hex'), /compressed with zstd: decompress it first with zstd -d/],
    ] as const) {
      const path = folder.file(`cut ${name}`);
      await writeFile(path, bytes);
      await expectRefused(path, reason);
    }
    expect(await temporary.left()).toEqual([]);
  });

  it('does not have all that it names, not because its end marker is missing', async () => {
    const path = await writeTar(folder.file('endless.tar'), good, { trailer: false });
    expect((await command('import', '--server', hosting.url, path, 'local/endless')).code).toBe(0);
  });

  it('is damaged in the middle', async () => {
    const bytes = tar(good);
    bytes.fill(0xff, 1024, 1536);
    await writeFile(folder.file('damaged.tar'), bytes);
    await expectRefused(folder.file('damaged.tar'), /damaged at 1024/);
  });

  it('unpacks to far more than it has', async () => {
    const path = folder.file('bomb.tar.gz');
    // 300 MB of zeros, in members that are the same.
    const member = gzipSync(Buffer.alloc(10_000_000));
    await writeFile(path, Buffer.concat(Array.from({ length: 30 }, () => member)));
    await expectRefused(path, /unpacks to more than 200 times its size/);
    expect(await temporary.left()).toEqual([]);
  });

  it('is not there, a pipe, or a folder of anything', async () => {
    await expectRefused(folder.file('absent'), /ENOENT/);
    execFileSync('mkfifo', [folder.file('pipe')]);
    await expectRefused(folder.file('pipe'), /neither a folder nor a regular file/);
    await mkdir(folder.file('anything'));
    await expectRefused(folder.file('anything'), /neither an OCI layout nor the storage of a registry/);
  });

  it('is a folder with a pipe for a layer', async () => {
    const path = await writeFiles(folder.file('piped'), without(layer));
    execFileSync('mkfifo', [`${path}/${layer}`]);
    await expectRefused(path, /is not a regular file/);
  });

  it('is a folder whose layer is a link to something else', async () => {
    const path = await writeFiles(folder.file('linked'), without(layer));
    await symlink('/etc/passwd', `${path}/${layer}`);
    await expectRefused(path, /has \d+ bytes instead of 2000000/);
  });

  it('does not keep others from being taken', async () => {
    const other = makeImage({ seed: 'other' });
    const files = layoutFiles([
      { content: image, tag: 'wrong' },
      { content: other, tag: 'right' },
      { content: makeArtifact(other) },
    ]);
    const path = await writeTar(
      folder.file('some.tar'),
      files.filter(({ name }) => name !== layer),
    );
    const { code, stdout } = await command('import', '--server', hosting.url, path, 'local/some');
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^2 taken, 1 failed; /m)]);
    expect((await hosting.ask('GET', '/v2/local/some/manifests/right')).status).toBe(200);
    expect((await hosting.ask('GET', '/v2/local/some/manifests/wrong')).status).toBe(404);
  });
});
