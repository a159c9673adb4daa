import { readFile } from 'node:fs/promises';
import type { Finding } from '../config/check.js';

/** Milliseconds of clock skew: certificates, tokens and S3 signatures tolerate minutes, S3 at most 15. */
const noticeable = 60_000;
const harmful = 600_000;
/** No earlier time is possible; a machine without a clock starts at 1970. */
const earliest = Date.UTC(2025, 0);
/** Descriptors besides those of clients: files, upstreams, listeners. */
const others = 256;

/** @param seen clocks of others; `skew` is how far this machine is ahead of them, in milliseconds. */
export function checkClock(seen: readonly { readonly host: string; readonly skew: number }[]): Finding {
  const now = new Date();
  if (now.getTime() < earliest) return { status: 'fail', detail: `impossible time: ${now.toISOString()}` };
  // The median, because one upstream may have a wrong clock.
  const middle = [...seen].sort((a, b) => a.skew - b.skew)[Math.floor(seen.length / 2)];
  if (!middle) return { status: 'ok', detail: `${now.toISOString()}; no upstream to compare it with` };
  const off = Math.abs(middle.skew);
  const detail = `${Math.round(off / 1000)} s ${middle.skew < 0 ? 'behind' : 'ahead of'} ${middle.host}`;
  return { status: off > harmful ? 'fail' : off > noticeable ? 'warn' : 'ok', detail };
}

/** @param maxConnections that the server would accept. */
export async function checkOpenFiles(maxConnections: number): Promise<Finding> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits) ?? [];
  if (soft === undefined) return { status: 'ok', detail: 'unknown on this system' };
  if (soft === 'unlimited') return { status: 'ok', detail: soft };
  const wanted = maxConnections + others;
  if (Number(soft) >= wanted) return { status: 'ok', detail: `${soft} descriptors` };
  const detail = `${soft} descriptors for --max-connections ${maxConnections}: ${wanted} would be enough`;
  return { status: Number(soft) < others ? 'fail' : 'warn', detail };
}
