import { afterAll, beforeAll, describe } from 'vitest';
import { replicaScenarios } from '../chaos/support/replica-scenarios.js';
import { build } from '../e2e/support/program.js';
import { sharedBucket } from './support/shared-bucket.js';
import { VersityGateway } from './support/versitygw.js';

let server: VersityGateway;

beforeAll(async () => {
  await build();
  server = await VersityGateway.start();
}, 180_000);
afterAll(() => server[Symbol.asyncDispose]());

describe('replicas on one bucket', () => replicaScenarios(() => sharedBucket(server)));
