import { describe } from 'vitest';
import { Podman } from './support/podman.js';
import { pullsThroughTheMirror } from './support/pulls-through-the-mirror.js';

describe('podman with the mirror in registries.conf', () => {
  pullsThroughTheMirror((scratch, mirror) => Podman.open(scratch, mirror, 'mirror'));
});

describe('podman with the mirror in front of the name', () => {
  pullsThroughTheMirror((scratch, mirror) => Podman.open(scratch, mirror, 'prefix'));
});
