import { closeSync, openSync, readSync } from 'node:fs';
import { isIPv4, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { groupsOfIPv6 } from '../../config/values/ipv6.js';

/** Bytes of each connection, by `connectionKey`, that the kernel has not sent or that are not acknowledged yet. */
export type UnsentBytes = ReadonlyMap<string, number>;

export type EndPoints = Partial<Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>>;

/** In bytes; that of some 14,000 connections. */
const longestTable = 2 * 1024 * 1024;
/** Bytes that are read in one turn of the event loop, which takes some 20 ms. */
const perTurn = 512 * 1024;

/** Established, or closed by the client for its direction only. */
const row = /^ *\d+: ([\dA-F]+:[\dA-F]{4} [\dA-F]+:[\dA-F]{4}) 0[18] ([\dA-F]{8}):/;

/**
 * Reads the tables of TCP connections in this network namespace (proc(5)). The kernel gives 4 KiB at a time, for each of
 * which an asynchronous read would take a turn of the event loop.
 * @returns undefined where there are no such tables, or too long ones
 */
export async function readSocketTable(): Promise<UnsentBytes | undefined> {
  const first = await readTable('/proc/self/net/tcp');
  if (first === undefined) return undefined;
  // Without IPv6 there is no second table.
  return parseSocketTable(first + ((await readTable('/proc/self/net/tcp6')) ?? ''));
}

/** @param table in the format of /proc/net/tcp and tcp6 */
export function parseSocketTable(table: string): UnsentBytes {
  const unsent = new Map<string, number>();
  for (const line of table.split('\n')) {
    const [, key, bytes] = row.exec(line) ?? [];
    if (key !== undefined && bytes !== undefined) unsent.set(key, parseInt(bytes, 16));
  }
  return unsent;
}

/** Undefined for a connection to a socket file. */
export function connectionKey({ localAddress, localPort, remoteAddress, remotePort }: EndPoints): string | undefined {
  if (localAddress === undefined || localPort === undefined) return undefined;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return `${endPoint(localAddress, localPort)} ${endPoint(remoteAddress, remotePort)}`;
}

function endPoint(address: string, port: number): string {
  return `${words(address)}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** The kernel prints an address as numbers of 32 bits, each in the byte order of the machine. */
function words(address: string): string {
  const bytes = isIPv4(address) ? Uint8Array.from(address.split('.'), Number) : bytesOfIPv6(address);
  return Array.from(new Uint32Array(bytes.buffer), (word) => word.toString(16).toUpperCase().padStart(8, '0')).join('');
}

function bytesOfIPv6(address: string): Uint8Array {
  const groups = groupsOfIPv6(address.replace(/%.*$/, '').toLowerCase()).map((group) => parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
}

async function readTable(path: string): Promise<string | undefined> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // Not Linux, or hidden from this process.
    return undefined;
  }
  try {
    const page = Buffer.allocUnsafe(4096);
    let text = '';
    for (let count = readSync(file, page), next = perTurn; count > 0; count = readSync(file, page)) {
      text += page.toString('latin1', 0, count);
      if (text.length > longestTable) return undefined;
      if (text.length < next) continue;
      next += perTurn;
      await turn();
    }
    return text;
  } finally {
    closeSync(file);
  }
}
