import { setTimeout as sleep } from 'node:timers/promises';
import { readUsage, resetPeak } from './usage.js';

const settleTime = 3_000;
const mebibyte = 1024 ** 2;

export interface Metered<T> {
  readonly outcome: T;
  readonly cpuSeconds: number;
  /** With what it went on to do in the three seconds after the load: `docker-registry` stores a blob after its client has it. */
  readonly settledCpuSeconds: number;
  readonly peakMiB: number;
  /** Resident size three seconds after the load ended. */
  readonly settledMiB: number;
}

/** What a load costs the process that serves it. */
export async function meter<T>(pid: number, load: () => Promise<T>): Promise<Metered<T>> {
  resetPeak(pid);
  const before = readUsage(pid);
  const outcome = await load();
  const after = readUsage(pid);
  await sleep(settleTime);
  const settled = readUsage(pid);
  return {
    outcome,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    settledCpuSeconds: settled.cpuSeconds - before.cpuSeconds,
    peakMiB: after.peakBytes / mebibyte,
    settledMiB: settled.residentBytes / mebibyte,
  };
}
