import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ListenAddress } from '../config/values/listen-address.js';

/** Errors that mean that the system has no IPv6, or has turned it off. */
const absent = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT']);

/**
 * `::` stands for all addresses of this machine: those of IPv6, and of IPv4 with them, or of IPv4 alone where there is no
 * IPv6. Other addresses stay as they are.
 */
export async function allAddresses(address: ListenAddress): Promise<ListenAddress> {
  if ('path' in address || !isUnspecified(address.host)) return address;
  return (await hasIpv6()) ? address : { ...address, host: '0.0.0.0' };
}

/** `::` in any spelling. */
function isUnspecified(host: string): boolean {
  return host.includes(':') && URL.canParse(`http://[${host}]`) && new URL(`http://[${host}]`).hostname === '[::]';
}

async function hasIpv6(): Promise<boolean> {
  // A worker must not ask its supervisor to share this port.
  const server = createServer().listen({ host: '::', port: 0, exclusive: true });
  try {
    await once(server, 'listening');
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && absent.has(String(error.code)));
  } finally {
    server.close();
  }
}
