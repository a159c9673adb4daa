import { blobOf } from '../content/bytes.js';
import { respondToTask } from '../processes/task.js';
import type { CrowdJob } from './crowd.js';
import { rawPulls } from './raw-pull.js';

respondToTask(({ clients, url, content }: CrowdJob) => {
  const { bytes } = blobOf(content.size, content.seed);
  return rawPulls(Array.from({ length: clients }, () => ({ url: new URL(url), expected: bytes })));
});
