import { fileURLToPath } from 'node:url';
import { runTask } from '../processes/task.js';
import type { Scope } from '../scope.js';

export interface CrowdJob {
  readonly clients: number;
  readonly url: string;
  /** What the body must be, in the words of `blobOf`: the bytes need not travel to the other process. */
  readonly content: { readonly size: number; readonly seed: string };
}

export interface CrowdReport {
  readonly right: number;
  /** How many clients had each complaint. */
  readonly complaints: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** When the clients started, on the clock of `sharedNow`. */
  readonly startedAt: number;
}

const program = fileURLToPath(new URL('./crowd.child.ts', import.meta.url));

/** Many clients that start one pull each at the same moment, in a process of their own; each checks every byte. */
export function runCrowd(scope: Scope, job: CrowdJob): Promise<CrowdReport> {
  return runTask(scope, program, job);
}

export function crowdFailures({ complaints }: CrowdReport): string[] {
  return Object.entries(complaints).map(([complaint, count]) => `${count} clients: ${complaint}`);
}
