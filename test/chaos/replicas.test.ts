import { beforeAll, describe } from 'vitest';
import { build } from '../e2e/support/program.js';
import { sharedFolder } from './support/cluster-storage.js';
import { replicaScenarios } from './support/replica-scenarios.js';

beforeAll(build, 180_000);

describe('replicas on one folder', () => replicaScenarios(sharedFolder));
