import { describe } from 'vitest';
import { killScenario } from '../chaos/support/kill-scenario.js';
import { sizes } from '../sizes.js';
import { sharedBucket } from './support/shared-bucket.js';
import { gatewayForAll } from './support/versitygw.js';

const server = gatewayForAll();

// The largest layers go up in parts.
describe('kill -9 at random moments under load, with content in a bucket', () =>
  killScenario(() => sharedBucket(server()), {
    kills: sizes.killsOnBucket,
    latest: 2_500,
    largest: 20_000_000,
    maxSize: '60MiB',
  }));
