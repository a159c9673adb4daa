import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { type Client, NAMESPACE } from './support/client.js';
import { Containerd } from './support/containerd.js';
import { Crane } from './support/crane.js';
import { DockerEngine } from './support/docker.js';
import { Podman } from './support/podman.js';
import { oneTokenEach, onceEach, pull } from './support/pull.js';
import { Skopeo } from './support/skopeo.js';
import { Stage } from './support/stage.js';

describe('Docker Engine, containerd, podman, skopeo and crane at one mirror', () => {
  let stage: Stage;
  let clients: Client[];

  beforeAll(async () => {
    // Docker Engine sends no namespace; as the default one it asks for the same repositories as the others.
    stage = await Stage.open({ namespaces: [NAMESPACE], options: ['--default-namespace', NAMESPACE] });
    const { scratch, mirror } = stage;
    clients = await Promise.all([
      DockerEngine.open(scratch, mirror),
      Containerd.open(scratch, mirror),
      Podman.open(scratch, mirror, 'mirror'),
      Skopeo.open(scratch, mirror, 'prefix'),
      Crane.open(scratch, mirror),
    ]);
  });
  // There is no stage when opening it has failed; it has then cleaned up after itself.
  afterAll(() => (stage as Stage | undefined)?.close());

  const pullEveryImageAtOnce = async () => {
    onTestFailed(async () => console.error(await stage.mirror.logTail()));
    for (const image of stage.everyImage) await Promise.all(clients.map((client) => pull(client, image)));
  };

  test('pull every image at the same moment through an empty mirror', pullEveryImageAtOnce);

  test('made the mirror fetch each blob and each manifest exactly once between them', () => {
    expect(stage.upstream.traffic.fetched('blob')).toEqual(onceEach('blobs', stage.everyImage, 'all'));
    expect(stage.upstream.traffic.fetched('manifest')).toEqual(onceEach('manifests', stage.everyImage, 'all'));
  });

  test('made the mirror ask for one token per repository between them', () => {
    expect(stage.upstream.traffic.tokens()).toEqual(oneTokenEach(stage.everyImage));
  });

  test('pull every image again into empty stores with the upstream down and unasked', async () => {
    await stage.upstream.goDown();
    await Promise.all(clients.map((client) => client.wipe()));
    await pullEveryImageAtOnce();
    expect(stage.upstream.knocks).toBe(0);
  });
});
