import type { FastifyRequest } from 'fastify';
import { reasonAgainstForeignPage } from '../../access/browser-origin.js';
import { OciError } from '../../oci/error.js';

/**
 * What refuses a request that changes something because a page of another origin may have sent it; undefined if it is
 * acceptable. A Bearer token is: browsers never send one by themselves.
 * @param client with the origin under which it knows this server
 */
export function foreignPageError(request: FastifyRequest, client?: { readonly origin: string }): OciError | undefined {
  const { method, headers, routeOptions } = request;
  const { url = '' } = routeOptions;
  if (method === 'GET' || method === 'HEAD' || !(url.startsWith('/v2/') || url.startsWith('/_ui/'))) return undefined;
  const { origin, authorization = '', 'sec-fetch-site': site } = headers;
  if ((origin === undefined && site === undefined) || /^bearer /i.test(authorization)) return undefined;
  const reason = reasonAgainstForeignPage(headers, client?.origin);
  return reason === undefined ? undefined : new OciError('DENIED', reason);
}
