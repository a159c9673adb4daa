import { describe } from 'vitest';
import { Oras } from './support/oras.js';
import { pullsThroughTheMirror } from './support/pulls-through-the-mirror.js';

describe('ORAS with the mirror in front of the name', () => {
  pullsThroughTheMirror((scratch, mirror) => Oras.open(scratch, mirror));
});
