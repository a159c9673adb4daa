import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startChild } from '../processes/child.js';
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
}

const program = fileURLToPath(new URL('./crowd.child.ts', import.meta.url));

/** Many clients that start one pull each at the same moment, in a process of their own; each checks every byte. */
export async function runCrowd(scope: Scope, job: CrowdJob): Promise<CrowdReport> {
  const args = [...process.execArgv, program];
  const child = await startChild(scope, process.execPath, args, ['ignore', 'inherit', 'inherit', 'ipc']);
  child.send(job);
  const outcome = await Promise.race([
    once(child, 'message').then(([report]) => report as CrowdReport),
    once(child, 'exit').then(() => undefined),
  ]);
  if (outcome === undefined) throw new Error('the load generator ended early');
  return outcome;
}

export function crowdFailures({ complaints }: CrowdReport): string[] {
  return Object.entries(complaints).map(([complaint, count]) => `${count} clients: ${complaint}`);
}
