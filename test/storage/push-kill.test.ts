import { describe } from 'vitest';
import { pushKillScenario } from '../e2e/push/support/push-kills.js';
import { sizes } from '../sizes.js';
import { sharedBucket } from './support/shared-bucket.js';
import { gatewayForAll } from './support/versitygw.js';

const server = gatewayForAll();

// The largest layers go up in parts.
describe('kill -9 at random moments of pushes to a bucket', () =>
  pushKillScenario(() => sharedBucket(server()), {
    kills: sizes.killsOfPushesToBucket,
    latest: 1_500,
    largest: 12_000_000,
  }));
