import { fileURLToPath } from 'node:url';
import { runTask } from '../../processes/task.js';
import type { Scope } from '../../scope.js';

export interface Pushes {
  /** Address of a namespace or of everything, below which each client pushes to a repository of its own. */
  readonly root: string;
  /** Tells the content of this run from that of others. */
  readonly seed: string;
  readonly clients: number;
  /** Images that a client pushes, one after the other. */
  readonly images: number;
  /** Layers of each image, and bytes of each of them. */
  readonly layers: number;
  readonly layerSize: number;
  /** Blobs that a client pushes at the same time, each over a connection of its own. */
  readonly parallel: number;
}

export interface PushesReport {
  readonly seconds: number;
  readonly images: number;
  /** Of what was pushed. */
  readonly bytes: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
  /** CPU time of the clients. */
  readonly clientCpuSeconds: number;
  readonly failures: readonly string[];
}

const program = fileURLToPath(new URL('./pushes.child.ts', import.meta.url));

/** Clients that push images at the same time, in a process of their own. */
export function runPushes(scope: Scope, job: Pushes): Promise<PushesReport> {
  return runTask(scope, program, job);
}
