import { describe } from 'vitest';
import { sharedFolder } from '../../chaos/support/cluster-storage.js';
import { sizes } from '../../sizes.js';
import { pushKillScenario } from './support/push-kills.js';

describe('kill -9 at random moments of pushes', () =>
  pushKillScenario(sharedFolder, { kills: sizes.killsOfPushes, latest: 600, largest: 800_000 }));
