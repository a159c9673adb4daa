import type { ServedRequest } from '../responses/http.response.js';
import type { EventRequest } from '../../events/event.js';

/** Characters of a header in an event. */
const longest = 512;

/** What an event says of its request. @param address of the client, behind trusted proxies too */
export function eventRequestOf({ id, method, headers, raw }: ServedRequest, address: string): EventRequest {
  const { remoteAddress, remotePort } = raw.socket;
  // The port of a proxy says nothing of the client.
  const isDirect = address === remoteAddress && remotePort !== undefined;
  const host = address.includes(':') ? `[${address}]` : address;
  return {
    id,
    addr: isDirect ? `${host}:${remotePort}` : address,
    host: (headers.host ?? '').slice(0, longest),
    method,
    useragent: (headers['user-agent'] ?? '').slice(0, longest),
  };
}
