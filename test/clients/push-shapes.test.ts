import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { sizes } from '../sizes.js';
import { HostedServer } from './support/hosted-server.js';
import { ImageLayout, type Layer, OCI } from './support/image-layout.js';
import { hostArchitecture } from './support/images.js';
import { run } from './support/process.js';
import { pushingClients, type PushingClient } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';

describe('an image that a client pushes', () => {
  let scratch: Scratch;
  let server: HostedServer;
  let clients: Record<string, PushingClient>;

  beforeAll(async () => {
    scratch = await Scratch.open();
    server = await HostedServer.start(scratch);
    clients = await pushingClients(scratch);
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  /** An image of its own layout. @returns its folder and digest */
  const imageOf = async (name: string, layersOf: (layout: ImageLayout) => Promise<Layer[]>) => {
    const path = scratch.file(name);
    const layout = new ImageLayout(path, ['/none']);
    const image = await layout.image(OCI, hostArchitecture, await layersOf(layout));
    await layout.ociSource('it', image);
    return { path, digest: image.digest };
  };

  test('may have 100 layers', async () => {
    onTestFailed(async () => console.error(await server.logTail()));
    const { path, digest } = await imageOf('layers', async (layout) => {
      const layers: Layer[] = [];
      for (let count = 0; count < 100; count += 1)
        layers.push(await layout.layer([{ path: `file-${count}`, content: randomBytes(2000) }]));
      return layers;
    });
    // Those that unpack nothing and sync nothing; the others take half a minute for so many layers.
    const target = server.name('layers/crane:1');
    await clients.crane!.push(path, target);
    for (const name of ['crane', 'oras', 'regctl']) expect(await clients[name]!.pull(target), name).toBe(digest);
  });

  test('may have layers of zstd, pulled by each', async () => {
    onTestFailed(async () => console.error(await server.logTail()));
    const { multi } = inject('images');
    const target = server.name('zstd/multi:1');
    const zstd = ['--dest-compress-format', 'zstd', '--dest-tls-verify=false', '--format', 'oci'];
    await run(
      'skopeo',
      ['--insecure-policy', 'copy', '--quiet', '--all', ...zstd, multi.source, `docker://${target}`],
      {
        environment: { REGISTRY_AUTH_FILE: scratch.file('home/auth.json'), TMPDIR: scratch.path },
      },
    );
    const environment = { DOCKER_CONFIG: scratch.file('no-docker') };
    const manifest = ['--insecure', 'manifest', '--platform', `linux/${hostArchitecture}`, target];
    const { layers } = JSON.parse(await run('crane', manifest, { environment })) as { layers: { mediaType: string }[] };
    expect(new Set(layers.map(({ mediaType }) => mediaType))).toEqual(
      new Set(['application/vnd.oci.image.layer.v1.tar+zstd']),
    );
    // `crane validate` knows gzip only.
    const pulled = [await run('crane', ['--insecure', 'digest', target], { environment })];
    await run('crane', ['--insecure', 'pull', '--format', 'oci', target, scratch.file('zstd')], { environment });
    for (const name of ['skopeo', 'oras', 'regctl']) pulled.push(await clients[name]!.pull(target));
    expect(new Set(pulled).size).toBe(1);
    for (const name of ['podman', 'buildah']) await clients[name]!.pull(target);
  });

  test.each(['oras', 'crane'] as const)('may have a layer of gigabytes, by %s', { timeout: 900_000 }, async (name) => {
    onTestFailed(async () => console.error(await server.logTail()));
    let layer = '';
    const { path, digest } = await imageOf(`large-${name}`, async (layout) => {
      // Content of its own, so that nobody has it yet.
      const sparse = await layout.sparseLayer(sizes.largestLayer + (name === 'oras' ? 0 : 1024));
      layer = sparse.digest;
      return [sparse];
    });
    const target = server.name(`large/${name}:1`);
    await clients[name]!.push(path, target);
    const environment = { DOCKER_CONFIG: scratch.file('no-docker') };
    expect(await run('crane', ['--insecure', 'digest', target], { environment })).toBe(digest);
    expect(await digestAt(`http://${server.address}/v2/local/large/${name}/blobs/${layer}`)).toBe(layer);
    const sent = (await server.requests()).filter(({ repository, received = 0 }) => {
      return repository === `local/large/${name}` && received >= sizes.largestLayer;
    });
    expect(sent.map(({ method }) => method)).toEqual([name === 'oras' ? 'PUT' : 'PATCH']);
  });
});

/** The digest of what is there, kept nowhere. */
async function digestAt(url: string): Promise<string> {
  const [response] = (await once(http.get(url), 'response')) as [IncomingMessage];
  const hash = createHash('sha256');
  await pipeline(response, hash);
  return `sha256:${hash.digest('hex')}`;
}
