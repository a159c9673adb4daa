import type { Trial } from '../trial.js';
import { accessTrials } from './access.js';
import { byteTrials } from './bytes.js';
import { outageTrials } from './outage.js';
import { sharingTrials } from './sharing.js';
import { storageTrials } from './storage.js';

/** The rows of the table, in its order. */
export const trials: readonly Trial[] = [
  ...accessTrials,
  ...outageTrials,
  ...byteTrials,
  ...sharingTrials,
  ...storageTrials,
];
