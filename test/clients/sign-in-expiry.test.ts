import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { ImageLayout, type Layer, OCI } from './support/image-layout.js';
import { hostArchitecture } from './support/images.js';
import { startPrivateServer } from './support/private-server.js';
import { homeOf, pushingClients } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';
import { signIn } from './support/sign-in.js';

// The others go by their own clock and the lifetime of a token, which is minutes.
test.each(['crane', 'oras'] as const)('%s goes on with a push in which its token expires', async (name) => {
  const scratch = await Scratch.open();
  const clock = join(import.meta.dirname, 'support/jumping-clock.mjs');
  const { server, robot } = await startPrivateServer(scratch, ['member'], {
    environment: { NODE_OPTIONS: `--import=${clock}` },
  });
  onTestFinished(() => scratch.close());
  onTestFailed(async () => console.error(await server.logTail()));
  const path = scratch.file('layout');
  const layout = new ImageLayout(path, ['/none']);
  const layers: Layer[] = [];
  for (let count = 0; count < 3; count += 1)
    layers.push(await layout.layer([{ path: `file-${count}`, content: randomBytes(20_000) }]));
  const image = await layout.image(OCI, hostArchitecture, layers);
  await layout.ociSource('it', image);
  await signIn(name, server.address, robot, await homeOf(scratch));
  const clients = await pushingClients(scratch);
  await clients[name]!.push(path, server.name('team/app:1'));
  const manifests = (await server.requests()).filter(({ method, reference }) => method === 'PUT' && reference === '1');
  expect(manifests.map(({ status }) => status)).toEqual([401, 201]);
  expect(await clients[name]!.pull(server.name('team/app:1'))).toBe(image.digest);
});
