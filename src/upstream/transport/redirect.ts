import { UpstreamError } from '../upstream-error.js';
import type { Upstream } from '../upstream.js';
import type { Exchange } from './transport.js';

/** One step of a redirect chain: the registry itself or a redirect target. */
export interface Hop {
  readonly url: URL;
  readonly isRegistry: boolean;
}

/** Where a response redirects to, as it says; undefined when it is no redirect (RFC 9110 §15.4). */
export function redirectTarget({ status, headers }: Exchange): string | undefined {
  return [301, 302, 303, 307, 308].includes(status) ? headers.location : undefined;
}

/** @throws UpstreamError `wrong` for a target that is not a URL, contains credentials or downgrades https. */
export function nextHop(upstream: Upstream, { url, isRegistry }: Hop, location: string): Hop {
  const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
  const isSafe = target?.protocol === 'https:' || (target?.protocol === 'http:' && url.protocol === 'http:');
  if (!target || !isSafe || target.username !== '' || target.password !== '') {
    throw new UpstreamError('wrong', `${url.host} sent an unsafe redirect`);
  }
  return { url: target, isRegistry: isRegistry && target.origin === upstream.base.origin };
}
