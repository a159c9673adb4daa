import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3Server } from '../../s3/s3.server.js';
import { get, outcomeOf } from '../get.js';
import { manifestUrl, settleTime, Stand } from '../stand.js';
import type { Trial } from '../trial.js';

const bucket: Trial = {
  row: 'Content in an S3 bucket: served by another process, upstream refuses connections',
  run: async (setting) => {
    const content = await (await S3Server.start(setting.scope, setting.folder)).bucketOf('comparison');
    const stand = await Stand.open(setting, { content, tagTtl: '1h' });
    await stand.fill();
    // The upstream must be there for the start of those that ask it.
    return setting.scope.within(async (scope) => {
      const { origin } = await stand.start(scope);
      await stand.upstream.stop();
      return outcomeOf(await get(manifestUrl(origin, '1')), stand.image.manifest.digest);
    });
  },
};

const limit: Trial = {
  row: 'Limit of 20 MiB, 10 blobs of 4 MB pulled: stored',
  run: async (setting) => {
    if (!setting.subject.limitsSize) return 'no such setting';
    const stand = await Stand.open(setting, { maxSize: '20MiB' });
    for (let index = 0; index < 10; index++) {
      const { digest } = stand.addBlob(4_000_000, `limit ${index}`);
      const outcome = outcomeOf(await stand.blob(digest), digest);
      if (outcome !== 'served') return outcome;
    }
    await sleep(settleTime);
    return `${Math.round((await sizeOf(join(setting.folder, 'content'))) / 1e6)} MB`;
  },
};

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

export const storageTrials: readonly Trial[] = [bucket, limit];
