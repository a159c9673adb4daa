import { describe } from 'vitest';
import { pushScenarios } from '../chaos/support/push-scenarios.js';
import { sizes } from '../sizes.js';
import { sharedBucket } from './support/shared-bucket.js';
import { gatewayForAll } from './support/versitygw.js';

const server = gatewayForAll();

// The largest layers go up in parts.
describe('pushes to three replicas on one bucket, each request to another', () =>
  pushScenarios(() => sharedBucket(server()), {
    pushes: sizes.pushesToReplicas,
    largest: 20_000_000,
    chunk: 5_500_000,
  }));
