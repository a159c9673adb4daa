import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { startChild } from '../processes/child.js';
import type { Scope } from '../scope.js';

export interface WrkJob {
  readonly url: string;
  readonly accept?: string;
  readonly authorization?: string;
  readonly connections: number;
  readonly seconds: number;
  /** Every answer is at least this long; fewer bytes in all mean short or foreign answers. */
  readonly size: number;
  /** Seconds that one answer may take; 30 unless given. */
  readonly timeout?: number;
  /** A file of names, one a line: each request is for another of them, at random, put behind the URL. */
  readonly names?: string;
}

export interface WrkReport {
  readonly requests: number;
  /** Everything received, the part of unfinished answers included. */
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
  readonly failures: readonly string[];
}

/** What wrk-report.lua prints. */
interface Printed {
  readonly requests: number;
  readonly bytes: number;
  readonly micros: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: Readonly<Record<string, number>>;
}

const script = fileURLToPath(new URL('./wrk-report.lua', import.meta.url));

export async function runWrk(scope: Scope, job: WrkJob): Promise<WrkReport> {
  const printed = parse(await run(scope, job));
  return {
    requests: printed.requests,
    bytes: printed.bytes,
    seconds: printed.micros / 1e6,
    p50Millis: printed.p50 / 1000,
    p99Millis: printed.p99 / 1000,
    failures: failuresOf(printed, job),
  };
}

async function run(scope: Scope, job: WrkJob): Promise<string> {
  const { url, accept, authorization, connections, seconds, timeout = 30, names } = job;
  // It refuses to have more threads than connections.
  const args = [
    '-t',
    String(Math.min(2, connections)),
    '-c',
    String(connections),
    '-d',
    `${seconds}s`,
    '--timeout',
    `${timeout}s`,
    '-s',
    script,
  ];
  const headers = [
    ...(accept === undefined ? [] : ['-H', `Accept: ${accept}`]),
    ...(authorization === undefined ? [] : ['-H', `Authorization: ${authorization}`]),
  ];
  const random = names === undefined ? [] : ['--', new URL(url).pathname, names];
  const child = await startChild(scope, 'wrk', [...args, ...headers, url, ...random], ['ignore', 'pipe', 'inherit']);
  const ended = once(child, 'exit');
  const output = child.stdout === null ? '' : await text(child.stdout);
  await ended;
  return output;
}

function parse(output: string): Printed {
  const line = output.split('\n').find((candidate) => candidate.startsWith('{'));
  if (line === undefined) throw new Error(`wrk printed no report: ${output.trim().slice(-300)}`);
  return JSON.parse(line) as Printed;
}

function failuresOf({ requests, bytes, errors }: Printed, { size }: WrkJob): string[] {
  const failures = Object.entries(errors)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `wrk: ${kind} errors: ${count}`);
  if (requests === 0) failures.push('wrk: no request finished');
  // wrk counts statuses from 400 as errors; anything else that is not the body shows in the bytes.
  if (bytes < requests * size) failures.push(`wrk: ${bytes} bytes in ${requests} answers of ${size} bytes`);
  return failures;
}
