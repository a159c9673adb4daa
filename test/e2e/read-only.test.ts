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
  it('ends the program at start, with one line and nothing written', async () => {
    await using folder = await Folder.make();
    await mkdir(folder.file('root'));
    const program = await Program.run([...anyPort, 'filesystem', '--root', 'root'], {
      cwd: folder.path,
      mounts: `mount --bind root root && ${readOnly}`,
    });
    expect([program.code, program.stdout]).toEqual([2, '']);
    expect(program.stderr).toBe(`cannot write to ${folder.file('root')} (EROFS)\n`);
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
