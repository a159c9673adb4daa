import { fileURLToPath } from 'node:url';
import type { ShiftedBlobs } from '../content/bytes.js';
import { runTask } from '../processes/task.js';
import type { Scope } from '../scope.js';
import type { CrowdReport } from './crowd.js';

export interface DistinctPulls {
  /** Where each of the blobs is, in their order. */
  readonly urls: readonly string[];
  /** The bytes need not travel to the other process. */
  readonly blobs: ShiftedBlobs;
}

const program = fileURLToPath(new URL('./distinct-pulls.child.ts', import.meta.url));

/** One client for each blob, all starting at the same moment, in a process of their own; each checks every byte. */
export function runDistinctPulls(scope: Scope, job: DistinctPulls): Promise<CrowdReport> {
  return runTask(scope, program, job);
}
