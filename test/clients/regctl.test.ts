import { describe } from 'vitest';
import { Regctl } from './support/regctl.js';
import { pullsThroughTheMirror } from './support/pulls-through-the-mirror.js';

describe('regctl with the mirror among its registries', () => {
  pullsThroughTheMirror((scratch, mirror) => Regctl.open(scratch, mirror));
});
