import { describe, expect, test } from 'vitest';
import { Containerd } from './support/containerd.js';
import { GREETING } from './support/images.js';
import { pullsThroughTheMirror } from './support/pulls-through-the-mirror.js';

describe('containerd with the mirror in hosts.toml', () => {
  const opened = pullsThroughTheMirror((scratch, mirror) => Containerd.open(scratch, mirror));

  test('runs what it pulled', async () => {
    const { client, stage } = opened();
    expect(await client.runContainer(stage.images.multi)).toBe(GREETING);
  });
});
