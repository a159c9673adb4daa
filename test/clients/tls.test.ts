import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { type Client, NAMESPACE } from './support/client.js';
import { Containerd } from './support/containerd.js';
import { Podman } from './support/podman.js';
import { pull } from './support/pull.js';
import { Skopeo } from './support/skopeo.js';
import { Stage } from './support/stage.js';

describe('clients at a mirror that speaks https with a certificate of an own authority', () => {
  let stage: Stage;
  let clients: Client[];

  beforeAll(async () => {
    stage = await Stage.open({ namespaces: [NAMESPACE], isSecure: true });
    const { scratch, mirror } = stage;
    clients = [
      await Containerd.open(scratch, mirror),
      await Podman.open(scratch, mirror, 'mirror'),
      await Skopeo.open(scratch, mirror, 'prefix'),
    ];
  });
  // There is no stage when opening it has failed; it has then cleaned up after itself.
  afterAll(() => (stage as Stage | undefined)?.close());

  const pullEveryImage = async () => {
    onTestFailed(async () => console.error(await stage.mirror.logTail()));
    for (const image of stage.everyImage) await Promise.all(clients.map((client) => pull(client, image)));
  };

  test('containerd, podman and skopeo pull every image', pullEveryImage);

  test('and again with the upstream down, after a restart', async () => {
    await stage.upstream.goDown();
    await stage.mirror.restart();
    await Promise.all(clients.map((client) => client.wipe()));
    await pullEveryImage();
    expect(stage.upstream.knocks).toBe(0);
  });

  test('none pulls without the authority', async () => {
    await rm(join(stage.mirror.authority!, 'ca.crt'));
    for (const client of clients) {
      await client.wipe();
      await expect(client.pull(stage.images.multi)).rejects.toThrow(/certificate|x509|ca\.crt/);
    }
  });
});
