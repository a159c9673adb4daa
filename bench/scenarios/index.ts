import { atRest } from './at-rest.js';
import { coldLoopback, coldPaced } from './cold-pull.js';
import { crowd } from './crowd.js';
import { endurance } from './endurance.js';
import { firstByte } from './first-byte.js';
import { manifestByDigest, manifestByTag } from './manifest.js';
import { manyPulls } from './many-pulls.js';
import { mixedPulls } from './mixed-pulls.js';
import { outage } from './outage.js';
import { ready } from './ready.js';
import { s3Cold, s3ColdPaced } from './s3-cold.js';
import { s3Warm } from './s3-warm.js';
import type { Scenario } from './scenario.js';
import { slowReaders } from './slow-readers.js';
import { smallBlob } from './small-blob.js';
import { sweep } from './sweep.js';
import { warmBlob } from './warm-blob.js';

export const scenarios: readonly Scenario[] = [
  warmBlob,
  smallBlob,
  manifestByDigest,
  manifestByTag,
  crowd,
  firstByte,
  outage,
  mixedPulls,
  ready,
  atRest,
  manyPulls,
  coldPaced,
  coldLoopback,
  slowReaders,
  sweep,
  s3Warm,
  s3Cold,
  s3ColdPaced,
  endurance,
];
