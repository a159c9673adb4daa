import { sharedBytes, shiftedBytes } from '../content/bytes.js';
import { respondToTask } from '../processes/task.js';
import type { DistinctPulls } from './distinct-pulls.js';
import { rawPulls } from './raw-pull.js';

respondToTask(({ urls, blobs }: DistinctPulls) => {
  const shared = sharedBytes(blobs);
  return rawPulls(urls.map((url, index) => ({ url: new URL(url), expected: shiftedBytes(blobs, shared, index) })));
});
