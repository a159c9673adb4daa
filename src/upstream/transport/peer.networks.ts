import { networkInterfaces } from 'node:os';
import { Networks } from '../../config/values/networks.js';

/** Private ranges (RFC 1918, RFC 6598, RFC 4193). Link-local addresses are left out: clouds have credentials there. */
const privateRanges = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'];
const loopback = ['127.0.0.0/8', '::1'];

/**
 * Networks in which replicas are expected when nothing else is known: the private ranges in which this host has an
 * address, and loopback when this replica advertises itself there.
 * @param ownUrl `--advertise-url`
 */
export function likelyPeerNetworks(ownUrl: string | undefined, addresses = ownAddresses()): readonly string[] {
  const ranges = privateRanges.filter((range) => addresses.some((address) => new Networks([range]).has(address)));
  return isLoopback(ownUrl) ? [...ranges, ...loopback] : ranges;
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

function isLoopback(url: string | undefined): boolean {
  if (url === undefined) return false;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || new Networks(loopback).has(host);
}
