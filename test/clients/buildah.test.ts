import { describe } from 'vitest';
import { Buildah } from './support/buildah.js';
import { pullsThroughTheMirror } from './support/pulls-through-the-mirror.js';

describe('buildah with the mirror in registries.conf', () => {
  pullsThroughTheMirror((scratch, mirror) => Buildah.open(scratch, mirror));
});
