import type { LookupAddress } from 'node:dns';
import { Resolver as DnsResolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isPublicAddress } from './address.guard.js';

/** Milliseconds of the first try, tries per server, and milliseconds for everything together. */
const tryTimeout = 1_500;
const tries = 2;
const deadline = 4_500;

/**
 * A lookup that asks the DNS servers of this machine directly. Unlike `getaddrinfo` it holds no thread of the pool, so
 * that silent names cannot delay others. It honours /etc/hosts, but neither search domains nor other name services.
 * @param servers addresses to ask instead of those of this machine, for tests.
 */
export function dnsLookup(servers?: readonly string[], hostsFile = '/etc/hosts'): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, servers, hostsFile).then(
      (all) => {
        const addresses = options.family ? all.filter(({ family }) => family === familyOf(options.family)) : all;
        const [first] = addresses;
        if (!first) callback(notFound(hostname), '');
        else if (options.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, ''),
    );
  };
}

function familyOf(family: number | string | undefined): number {
  return Number(String(family).replace('IPv', ''));
}

async function resolveName(
  hostname: string,
  servers: readonly string[] | undefined,
  hostsFile: string,
): Promise<LookupAddress[]> {
  const local = await findInHosts(hostname, hostsFile);
  return local.length > 0 ? local : queryServers(hostname, servers);
}

/** @throws with the code `ENOTFOUND` when there is no address, `ETIMEOUT` when no server responded in time. */
async function queryServers(hostname: string, servers: readonly string[] | undefined): Promise<LookupAddress[]> {
  const resolver = new DnsResolver({ timeout: tryTimeout, tries });
  if (servers) resolver.setServers(servers);
  const timer = setTimeout(() => resolver.cancel(), deadline);
  try {
    const results = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const addresses = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    if (addresses.length > 0) return sort(addresses);
    const codes = results.flatMap((result) => (result.status === 'rejected' ? codeOf(result.reason) : []));
    const failure = codes.find((code) => code !== 'ENOTFOUND' && code !== 'ENODATA');
    if (failure === undefined) throw notFound(hostname);
    const code = failure === 'ECANCELLED' ? 'ETIMEOUT' : failure;
    throw Object.assign(new Error(`${hostname} could not be resolved (${code})`), { code });
  } finally {
    clearTimeout(timer);
  }
}

/** IPv6 first where this machine has a public IPv6 address, as `getaddrinfo` sorts. */
function sort(addresses: readonly string[]): LookupAddress[] {
  const first = hasPublicIpv6() ? 6 : 4;
  return addresses
    .map((address) => ({ address, family: isIP(address) }))
    .sort((one, other) => Number(other.family === first) - Number(one.family === first));
}

function hasPublicIpv6(): boolean {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .some(({ address, family }) => family === 'IPv6' && isPublicAddress(address));
}

async function findInHosts(hostname: string, file: string): Promise<LookupAddress[]> {
  // A machine without the file, or with one that cannot be read, has no local names.
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const isMatch = names.some((name) => name.toLowerCase() === hostname.toLowerCase());
    return isMatch && isIP(address) !== 0 ? [{ address, family: isIP(address) }] : [];
  });
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
