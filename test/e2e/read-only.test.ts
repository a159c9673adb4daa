import { mkdir, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { Folder } from './support/folder.js';
import { build, hasMounts, Program } from './support/program.js';
import { storedFiles } from './support/stored-files.js';

const anyPort = ['--listen', '127.0.0.1:0'];
const readOnly = 'mount -o remount,ro,bind root';

beforeAll(build, 180_000);

/** The file system is a real one, which the kernel lets nobody write to. */
describe.runIf(hasMounts)('a root on a read-only file system', () => {
  it.each([
    ['read-only', 'mount --bind root root && mount -o remount,ro,bind root', 'EROFS'],
    ['full', 'mount -t tmpfs -o size=64k none root && (cat /dev/zero >root/other || true) 2>/dev/null', 'ENOSPC'],
    ['without inodes', 'mount -t tmpfs -o nr_inodes=2 none root && touch root/other', 'ENOSPC'],
  ])('that is %s at start keeps nothing from being served, and is told', async (_, mounts, code) => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start();
    const image = makeImage({ seed: code });
    registry.addImage('app', image, ['latest']);
    await mkdir(folder.file('root'));
    await writeFile(folder.file('u.yaml'), `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`);
    const args = [...anyPort, '--upstream-config-file', 'u.yaml', 'filesystem', '--root', 'root'];
    await using program = await Program.start(args, { cwd: folder.path, mounts });
    expect(program.stdout).toMatch(new RegExp(`nothing can be written to .*\\(${code}\\)`));
    const response = await request(`${program.url}/v2/registry.test/app/manifests/latest`);
    expect([response.status, response.body.equals(image.manifest.body)]).toEqual([200, true]);
    const ready = await request(`${program.url}/readyz`);
    expect([ready.status, JSON.parse(ready.body.toString())]).toMatchObject([
      200,
      { status: 'ready', reason: expect.stringContaining(code) as string },
    ]);
    expect((await request(`${program.url}/metrics`)).body.toString()).toContain('oci_registry_storage_full 1');
    expect(await storedFiles(folder.file('root'))).toEqual([]);
  });

  it('when it becomes that under the running program, serves what it has and passes the rest through', async () => {
    await using folder = await Folder.make();
    const registry = await FakeRegistry.start();
    try {
      const [kept, fresh] = [
        makeImage({ seed: 'kept', layers: [300_000] }),
        makeImage({ seed: 'new', layers: [1_000] }),
      ];
      const large = makeBlob(3_000_000, 'new and large');
      registry.addImage('app', kept, ['kept']);
      registry.addImage('app', fresh, ['new']);
      registry.addBlob('app', large);
      await mkdir(folder.file('root'));
      await writeFile(folder.file('u.yaml'), `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`);
      const args = ['--upstream-config-file', 'u.yaml', '--memory-cache', '0B', 'filesystem', '--root', 'root'];
      await using program = await Program.start([...anyPort, ...args], {
        cwd: folder.path,
        mounts: 'mount --bind root root',
      });
      const get = async (path: string, body: Buffer) => {
        const response = await request(`${program.url}/v2/registry.test/app/${path}`);
        expect([path, response.status, response.body.equals(body)]).toEqual([path, 200, true]);
        return response.headers['x-cache'];
      };
      const pathsOf = ({ manifest, config, layers }: typeof kept): [string, Buffer][] => [
        [`manifests/${manifest.digest}`, manifest.body],
        ...[config, ...layers].map(({ digest, body }): [string, Buffer] => [`blobs/${digest}`, body]),
      ];
      for (const [path, body] of [['manifests/kept', kept.manifest.body] as const, ...pathsOf(kept)])
        await get(path, body);
      const files = () => storedFiles(folder.file('root'));
      // The tag, and of each content the bytes, the origin and the record.
      const written = 1 + 3 * pathsOf(kept).length;
      await expect.poll(async () => (await files()).filter((file) => !file.startsWith('ingest/')).length).toBe(written);
      const before = await files();

      await program.mount(readOnly, folder.path);
      for (const [path, body] of pathsOf(kept)) expect([path, await get(path, body)]).toEqual([path, 'HIT']);
      await get('manifests/new', fresh.manifest.body);
      for (const [path, body] of [...pathsOf(fresh), [`blobs/${large.digest}`, large.body] as [string, Buffer]])
        expect([path, await get(path, body)]).toEqual([path, 'MISS']);
      expect(await files()).toEqual(before);
      // As with a full disk: pulls are served, so that balancers need not look elsewhere.
      expect((await request(`${program.url}/readyz`)).status).toBe(200);
      expect(program.stdout).toContain('EROFS');

      await program.mount('mount -o remount,rw,bind root', folder.path);
      await get(`blobs/${large.digest}`, large.body);
      await expect.poll(() => get(`blobs/${large.digest}`, large.body)).toBe('HIT');
    } finally {
      await registry.close();
    }
  });
});
