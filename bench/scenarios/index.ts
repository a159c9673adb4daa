import { crowd } from './crowd.js';
import { firstByte } from './first-byte.js';
import { manifestByDigest, manifestByTag } from './manifest.js';
import { manyPulls } from './many-pulls.js';
import { outage } from './outage.js';
import type { Scenario } from './scenario.js';
import { warmBlob } from './warm-blob.js';

export const scenarios: readonly Scenario[] = [
  warmBlob,
  manifestByDigest,
  manifestByTag,
  crowd,
  firstByte,
  outage,
  manyPulls,
];
