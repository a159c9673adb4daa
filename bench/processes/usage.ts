import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

export interface Usage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** The part of it that is no file's: heap, stacks, buffers. */
  readonly anonymousBytes: number;
  /** The highest resident size since the last reset; summed over processes, whose peaks need not coincide. */
  readonly peakBytes: number;
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU time and memory of a process and its descendants, from proc(5). */
export function readUsage(pid: number): Usage {
  const tree = processTree(pid);
  return {
    cpuSeconds: sum(tree.map(cpuTicks)) / ticksPerSecond,
    residentBytes: sum(tree.map((member) => statusBytes(member, 'VmRSS'))),
    anonymousBytes: sum(tree.map((member) => statusBytes(member, 'RssAnon'))),
    peakBytes: sum(tree.map((member) => statusBytes(member, 'VmHWM'))),
  };
}

/** Makes the present resident size the peak: proc(5), clear_refs, 5. */
export function resetPeak(pid: number): void {
  for (const member of processTree(pid)) writeFileSync(`/proc/${member}/clear_refs`, '5');
}

function processTree(root: number): number[] {
  const parents = allProcesses().flatMap((pid) => {
    const parent = parentOf(pid);
    return parent === undefined ? [] : [{ pid, parent }];
  });
  const tree = [root];
  // The array grows while it is walked: each member adds its children behind itself.
  for (const member of tree) tree.push(...parents.filter(({ parent }) => parent === member).map(({ pid }) => pid));
  return tree;
}

function allProcesses(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** Undefined for a process that has just ended. */
function parentOf(pid: number): number | undefined {
  try {
    return Number(statFields(pid)[1]);
  } catch {
    return undefined;
  }
}

/** User and system time, its own and that of the children it has waited for. */
function cpuTicks(pid: number): number {
  return sum(statFields(pid).slice(11, 15).map(Number));
}

/** The fields after the command, which may itself contain spaces and parentheses: the first is the state. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function statusBytes(pid: number, key: string): number {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (match === null) throw new Error(`/proc/${pid}/status has no ${key}`);
  return Number(match[1]) * 1024;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
