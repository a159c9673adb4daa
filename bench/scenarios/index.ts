import { access } from './access.js';
import { atRest } from './at-rest.js';
import { coldCrowd } from './pulls/cold-crowd.js';
import { coldFaster, coldLoopback, coldPaced } from './pulls/cold-pull.js';
import { crowd } from './pulls/crowd.js';
import { endurance } from './stored/endurance.js';
import { firstByte } from './pulls/first-byte.js';
import { manifestByDigest, manifestByTag } from './stored/manifest.js';
import { manyPulls } from './pulls/many-pulls.js';
import { mixedPulls } from './pulls/mixed-pulls.js';
import { outage } from './outage.js';
import { hostedTag } from './pushes/hosted-tag.js';
import { pushBlobs, pushImages, pushMemory, s3PushBlobs, s3PushImages } from './pushes/push.js';
import { ready } from './ready.js';
import { s3Cold, s3ColdPaced } from './s3/s3-cold.js';
import { s3Warm } from './s3/s3-warm.js';
import type { Scenario } from './scenario.js';
import { slowReaders } from './pulls/slow-readers.js';
import { smallBlob } from './stored/small-blob.js';
import { sweep } from './sweep.js';
import { warmBlob } from './stored/warm-blob.js';

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
  coldFaster,
  coldLoopback,
  coldCrowd,
  slowReaders,
  sweep,
  s3Warm,
  s3Cold,
  s3ColdPaced,
  pushBlobs,
  pushImages,
  pushMemory,
  s3PushBlobs,
  s3PushImages,
  access,
  hostedTag,
  endurance,
];
