import { describe } from 'vitest';
import { Crane } from './support/crane.js';
import { pullsThroughTheMirror } from './support/pulls-through-the-mirror.js';

describe('crane with the mirror in front of the name', () => {
  pullsThroughTheMirror((scratch, mirror) => Crane.open(scratch, mirror));
});
