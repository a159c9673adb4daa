import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../scope.js';

const patience = 5_000;

/**
 * Starts a process that ends with the scope. Its environment is bare, so that no setting of the caller's leaks in.
 * @param environment what it gets besides
 */
export async function startChild(
  scope: Scope,
  command: string,
  args: readonly string[],
  stdio: StdioOptions,
  environment: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const { PATH, HOME, TMPDIR } = process.env;
  // In a group of its own Ctrl-C does not reach it: the scope ends it, after whatever depends on it.
  const child = spawn(command, args, { stdio, detached: true, env: { PATH, HOME, TMPDIR, ...environment } });
  await scope.defer(() => stopChild(child));
  if (child.pid === undefined) await once(child, 'spawn');
  return child;
}

/** SIGTERM, and SIGKILL for the process and what it started when that did not end it in time. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(patience, undefined, { ref: false })]);
  if (hasEnded(child)) return;
  process.kill(-child.pid, 'SIGKILL');
  await ended;
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
