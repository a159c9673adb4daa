import { afterAll, beforeAll, describe } from 'vitest';
import { killScenario } from '../chaos/support/kill-scenario.js';
import { build } from '../e2e/support/program.js';
import { sharedBucket } from './support/shared-bucket.js';
import { VersityGateway } from './support/versitygw.js';

let server: VersityGateway;

beforeAll(async () => {
  await build();
  server = await VersityGateway.start();
}, 180_000);
afterAll(() => server[Symbol.asyncDispose]());

/** How often the program is killed; a night may be longer: `KILLS=1000`. */
const kills = Number(process.env.KILLS ?? 25);

// The largest layers go up in parts.
describe('kill -9 at random moments under load, with content in a bucket', () =>
  killScenario(() => sharedBucket(server), { kills, latest: 2_500, largest: 20_000_000, maxSize: '60MiB' }));
