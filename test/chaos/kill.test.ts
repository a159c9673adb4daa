import { beforeAll, describe } from 'vitest';
import { build } from '../e2e/support/program.js';
import { sizes } from '../sizes.js';
import { sharedFolder } from './support/cluster-storage.js';
import { killScenario } from './support/kill-scenario.js';

beforeAll(build, 180_000);

describe('kill -9 at random moments under load, with content in a folder', () =>
  killScenario(sharedFolder, { kills: sizes.kills, latest: 530, largest: 1_000_000, maxSize: '6MiB' }));
