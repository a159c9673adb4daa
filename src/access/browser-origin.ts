import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/**
 * Why a request without a token is refused: a web page in somebody's browser may have sent it. Origin or Sec-Fetch-Site
 * reveals a page of another site, and Host one whose name was made to resolve to this address (DNS rebinding).
 * @param listenHost as configured, which may be a name of this machine.
 * @returns undefined if it is acceptable.
 */
export function reasonAgainst(headers: IncomingHttpHeaders, listenHost: string | undefined): string | undefined {
  const { host = '', origin, 'sec-fetch-site': site } = headers;
  if (!isOwnHost(host, listenHost)) return 'reach the admin address by its IP address or as localhost';
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return 'requests from pages of other origins are refused';
  }
  // `same-site` includes other ports of this machine, which may belong to anybody.
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return 'requests from pages of other origins are refused';
  }
  return undefined;
}

/**
 * Why a request with a password is refused: browsers add it to requests of any page. Pages cannot leave these headers out
 * of what they send to another site.
 */
export function reasonAgainstPage({ origin, 'sec-fetch-site': site }: IncomingHttpHeaders): string | undefined {
  const isPage = origin !== undefined || (site !== undefined && site !== 'same-origin' && site !== 'none');
  return isPage ? 'requests from web pages are refused' : undefined;
}

/**
 * Why a request that changes something is refused: a page of another origin may have sent it with the password or client
 * certificate that browsers add by themselves. Pages of this server itself, such as a user interface behind the same proxy, may.
 * @param ownOrigin under which the client knows this server
 */
export function reasonAgainstForeignPage(
  { host = '', origin, 'sec-fetch-site': site }: IncomingHttpHeaders,
  ownOrigin?: string,
): string | undefined {
  const own = [ownOrigin, `http://${host}`, `https://${host}`].map((text) => text?.toLowerCase());
  const isForeign = origin !== undefined && !own.includes(origin.toLowerCase());
  const isFromElsewhere = site !== undefined && site !== 'same-origin' && site !== 'none';
  return isForeign || isFromElsewhere ? 'requests from pages of other origins are refused' : undefined;
}

function isOwnHost(host: string, listenHost: string | undefined): boolean {
  const name = host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0 || (listenHost !== undefined && name === listenHost.toLowerCase());
}
