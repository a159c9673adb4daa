import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { DockerEngine } from './support/docker.js';
import { HostedServer } from './support/hosted-server.js';
import { ImageLayout, OCI } from './support/image-layout.js';
import { hostArchitecture } from './support/images.js';
import { run } from './support/process.js';
import { pushingClients } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';

describe('a push beyond the quota', () => {
  let scratch: Scratch;
  let server: HostedServer;
  let layout: string;

  beforeAll(async () => {
    scratch = await Scratch.open();
    server = await HostedServer.start(scratch, { settings: 'max_size: 100B' });
    layout = scratch.file('layout');
    // regctl tries long for each blob.
    const made = new ImageLayout(layout, ['/none']);
    const layer = await made.layer([{ path: 'file', content: randomBytes(3000) }]);
    await made.ociSource('it', await made.image(OCI, hostArchitecture, [layer]));
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  test.each(['skopeo', 'crane', 'oras', 'regctl', 'podman', 'buildah'] as const)(
    'is denied, as %s says',
    async (name) => {
      onTestFailed(async () => console.error(await server.logTail()));
      const clients = await pushingClients(scratch);
      await expect(clients[name]!.push(layout, server.name(`${name}:1`))).rejects.toThrow(/quota|denied|http 403/i);
    },
  );

  test('is denied at once, as Docker Engine says, without retries', async () => {
    onTestFailed(async () => console.error(await server.logTail()));
    const engine = await DockerEngine.pushing(scratch);
    const archive = scratch.file('image.tar');
    const target = server.name('docker:1');
    await run('skopeo', [
      '--insecure-policy',
      'copy',
      '--quiet',
      `oci:${layout}:it`,
      `docker-archive:${archive}:${target}`,
    ]);
    await expect(engine.push(archive, target)).rejects.toThrow(
      /denied: the quota of local\/\*\* is exceeded: .* of 100 B/,
    );
    const refused = (await server.requests()).filter(({ repository, status }) => {
      return status === 403 && repository?.endsWith('docker');
    });
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThanOrEqual(5);
  });
});
