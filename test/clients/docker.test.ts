import { describe, expect, test } from 'vitest';
import { DockerEngine } from './support/docker.js';
import { GREETING } from './support/images.js';
import { pullsThroughTheMirror } from './support/pulls-through-the-mirror.js';

describe('Docker Engine with the mirror in registry-mirrors', () => {
  const opened = pullsThroughTheMirror((scratch, mirror) => DockerEngine.open(scratch, mirror));

  test('runs what it pulled', async () => {
    const { client, stage } = opened();
    expect(await client.runContainer(stage.images.multi)).toBe(GREETING);
  });
});
