import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
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

// docs/clients/docker.md says so of this version.
test.runIf(execFileSync('dockerd', ['--version']).includes(' 20.10.'))(
  'Docker Engine refuses a path there',
  async () => {
    const started = promisify(execFile)('dockerd', ['--registry-mirror', 'http://127.0.0.1:1/docker.io']);
    await expect(started).rejects.toThrow('invalid mirror: path, query, or fragment at end of the URI');
  },
);
