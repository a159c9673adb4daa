import { describe } from 'vitest';
import { pullsThroughTheMirror } from './support/pulls-through-the-mirror.js';
import { Skopeo } from './support/skopeo.js';

describe('skopeo with the mirror in registries.conf', () => {
  pullsThroughTheMirror((scratch, mirror) => Skopeo.open(scratch, mirror, 'mirror'));
});

describe('skopeo with the mirror in front of the name', () => {
  pullsThroughTheMirror((scratch, mirror) => Skopeo.open(scratch, mirror, 'prefix'));
});

describe('skopeo with the mirror of a registry with Basic authentication', () => {
  pullsThroughTheMirror((scratch, mirror) => Skopeo.open(scratch, mirror, 'mirror'), 'basic');
});
