import { describe } from 'vitest';
import { replicaScenarios } from '../chaos/support/replica-scenarios.js';
import { sharedBucket } from './support/shared-bucket.js';
import { gatewayForAll } from './support/versitygw.js';

const server = gatewayForAll();

describe('replicas on one bucket', () => replicaScenarios(() => sharedBucket(server())));
