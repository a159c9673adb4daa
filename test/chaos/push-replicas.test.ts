import { describe } from 'vitest';
import { sizes } from '../sizes.js';
import { sharedFolder } from './support/cluster-storage.js';
import { pushScenarios } from './support/push-scenarios.js';

describe('pushes to three replicas on one folder, each request to another', () =>
  pushScenarios(sharedFolder, { pushes: sizes.pushesToReplicas, largest: 3_000_000, chunk: 500_000 }));
