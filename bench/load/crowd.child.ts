import { blobOf } from '../content/bytes.js';
import type { CrowdJob, CrowdReport } from './crowd.js';
import { rawPull } from './raw-pull.js';

process.once('message', (job: CrowdJob) => void answer(job));
// The benchmark is gone: there is nobody to report to.
process.once('disconnect', () => process.exit());

async function answer(job: CrowdJob): Promise<void> {
  const report = await run(job);
  process.send?.(report, undefined, undefined, () => process.disconnect());
}

async function run({ clients, url, content }: CrowdJob): Promise<CrowdReport> {
  const { bytes } = blobOf(content.size, content.seed);
  const address = new URL(url);
  const start = performance.now();
  const pulls = await Promise.all(Array.from({ length: clients }, () => rawPull(address, bytes)));
  const seconds = (performance.now() - start) / 1000;
  const complaints: Record<string, number> = {};
  for (const complaint of pulls) {
    if (complaint !== undefined) complaints[complaint] = (complaints[complaint] ?? 0) + 1;
  }
  return { right: pulls.filter((complaint) => complaint === undefined).length, complaints, seconds };
}
