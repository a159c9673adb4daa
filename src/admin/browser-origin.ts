import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/**
 * Why a request without a token is refused: a page in somebody's browser may have sent it. Pages of other sites give
 * themselves away by Origin or Sec-Fetch-Site; one whose name was made to point here (DNS rebinding) by its Host.
 * @param listenHost as configured: a name that the operator chose for this machine.
 * @returns undefined when nothing speaks against it.
 */
export function reasonAgainst(headers: IncomingHttpHeaders, listenHost: string | undefined): string | undefined {
  const { host = '', origin, 'sec-fetch-site': site } = headers;
  if (!isOwnHost(host, listenHost)) return 'the admin address is asked for by its IP address or as localhost';
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return 'requests of pages from elsewhere are not taken';
  }
  // `same-site` is another port of this machine, which may be anybody's.
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return 'requests of pages from elsewhere are not taken';
  }
  return undefined;
}

function isOwnHost(host: string, listenHost: string | undefined): boolean {
  const name = host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0 || (listenHost !== undefined && name === listenHost.toLowerCase());
}
