import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { BuildKit } from './support/buildkit.js';
import { BUILT } from './support/built.js';
import { ContainerdDaemon } from './support/containerd-daemon.js';
import { DockerEngine } from './support/docker.js';
import { HostedServer } from './support/hosted-server.js';
import { run } from './support/process.js';
import { pushingClients, type PushingClient } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';

const copying = ['skopeo', 'crane', 'oras', 'regctl'] as const;
const storing = ['podman', 'buildah'] as const;

describe('an image that an engine pushes', () => {
  const { multi } = inject('images');
  let scratch: Scratch;
  let server: HostedServer;
  let clients: Record<string, PushingClient>;
  let containerd: ContainerdDaemon;
  let archive: string;

  beforeAll(async () => {
    scratch = await Scratch.open();
    server = await HostedServer.start(scratch);
    clients = await pushingClients(scratch);
    containerd = await ContainerdDaemon.open(scratch, BUILT);
    const layout = scratch.file('layout');
    await run('skopeo', ['--insecure-policy', 'copy', '--quiet', '--all', multi.source, `oci:${layout}:it`]);
    await clients.crane!.push(layout, server.name('base/multi:1'));
    await nameImage(layout, 'docker.io/library/it:1');
    archive = scratch.file('layout.tar');
    await run('tar', ['--directory', layout, '--create', '--file', archive, '.']);
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  /** Has every client pull it. @returns the digest that those name that take all of it */
  const pullWithEach = async (name: string) => {
    onTestFailed(async () => console.error(await server.logTail()));
    const digests = await Promise.all(copying.map((client) => clients[client]!.pull(name)));
    for (const client of storing) await clients[client]!.pull(name);
    await containerd.ctr('images', 'pull', '--plain-http', '--all-platforms', '--snapshotter', 'native', name);
    digests.push(...(await containerd.digestOf(name)));
    expect(new Set(digests).size).toBe(1);
    return digests[0];
  };
  const bodies = async () =>
    (await server.requests()).filter(({ method, received = 0 }) => {
      return /^(PATCH|PUT|POST)$/.test(method) && received > 0;
    });

  test.each([
    ['containerd', ['--local']],
    ['the transfer service of containerd', []],
  ])('as %s does, is pulled by every other', async (name, options) => {
    const target = server.name(`${name.replaceAll(' ', '-')}/multi:1`);
    await containerd.ctr('images', 'import', '--all-platforms', '--no-unpack', archive);
    await containerd.ctr('images', 'tag', '--force', 'docker.io/library/it:1', target);
    await containerd.ctr('images', 'push', '--plain-http', ...options, target);
    expect(await pullWithEach(target)).toBe(multi.digest);
  });

  test('as Docker Engine with the containerd image store does, is pulled by every other, and by Docker', async () => {
    const engine = await DockerEngine.withContainerd(scratch, containerd);
    const target = server.name('docker/multi:1');
    await engine.load(archive);
    await engine.pushAs('it:1', target);
    expect(await pullWithEach(target)).toBe(multi.digest);
    expect(await engine.pullAgain(target)).toContain(multi.digest);
    // What the repository beside it has is mounted.
    const before = (await bodies()).length;
    await engine.pushAs(target, server.name('docker/other:1'));
    expect((await bodies()).slice(before).filter(({ method }) => method !== 'PUT')).toEqual([]);
    expect(await clients.crane!.pull(server.name('docker/other:1'))).toBe(multi.digest);
    // What another client has pushed.
    expect(await engine.pullAgain(server.name('base/multi:1'))).toContain(multi.digest);
  });

  describe('BuildKit', () => {
    let buildkit: BuildKit;
    beforeAll(async () => {
      buildkit = await BuildKit.open(scratch, containerd);
    });

    test('pushes what it built on an image of the same server, whose layers are mounted', async () => {
      const target = server.name('buildkit/app:1');
      await buildkit.push(target, `FROM ${server.name('base/multi:1')}\nCOPY file /file\n`);
      await pullWithEach(target);
      const before = (await bodies()).length;
      await buildkit.push(server.name('buildkit/other:1'), `FROM ${target}\nCOPY file /other\n`);
      // A layer and a configuration of its own, and the manifest.
      expect((await bodies()).slice(before).map(({ method }) => method)).toEqual(['PUT', 'PUT', 'PUT']);
    });

    test('pushes an index with attestations, compressed with zstd, and its cache', async () => {
      const target = server.name('buildkit/multi:1');
      const cache = `type=registry,ref=${server.name('buildkit/multi:cache')}`;
      const platforms = ['--opt', 'platform=linux/amd64,linux/arm64', '--opt', 'attest:provenance=mode=max'];
      const caches = ['--export-cache', `${cache},mode=max`, '--import-cache', cache];
      const options = { output: ',compression=zstd,oci-mediatypes=true', options: [...platforms, ...caches] };
      for (let count = 0; count < 2; count += 1)
        await buildkit.push(target, 'FROM scratch\nCOPY file /file\n', options);
      const index = JSON.parse(
        await run('crane', ['--insecure', 'manifest', target], {
          environment: { DOCKER_CONFIG: scratch.file('no-docker') },
        }),
      ) as { manifests: { annotations?: object }[] };
      const attested = index.manifests.filter(({ annotations }) => annotations !== undefined);
      expect([index.manifests.length, attested.length]).toEqual([4, 2]);
      const digests = await Promise.all(['skopeo', 'oras', 'regctl'].map((name) => clients[name]!.pull(target)));
      expect(new Set(digests).size).toBe(1);
    });
  });
});

/** Engines go by the name in this annotation. */
async function nameImage(layout: string, name: string): Promise<void> {
  const file = `${layout}/index.json`;
  const index = JSON.parse(await readFile(file, 'utf8')) as { manifests: { annotations: object }[] };
  index.manifests[0]!.annotations = { 'io.containerd.image.name': name };
  await writeFile(file, JSON.stringify(index));
}
