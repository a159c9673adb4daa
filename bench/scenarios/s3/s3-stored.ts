import { setTimeout as sleep } from 'node:timers/promises';
import { Digest } from '../../../src/oci/digest.js';
import { keys } from '../../../src/storage/keys.js';
import type { Bucket } from '../../s3/bucket.js';

const deadline = 300_000;
const tick = 10;

/** The key under which the mirror keeps a blob. */
export function contentKey(digest: string): string {
  return keys.content(Digest.parse(digest));
}

/** Resolves when the bucket shows all of these objects, `size` bytes each. @throws Error when that takes five minutes */
export async function whenStored(bucket: Bucket, paths: readonly string[], size: number): Promise<void> {
  const end = Date.now() + deadline;
  for (const path of paths) {
    while ((await bucket.sizeOf(path)) !== size) {
      if (Date.now() > end) throw new Error(`${path} is not in the bucket after ${deadline / 1000} s`);
      await sleep(tick);
    }
  }
}
