import type { Finding } from '../../config/check.js';
import { parseChallenges, type Challenge } from '../../oci/challenge.js';
import { discardBody, readBody } from '../transport/body.js';
import { parseRateLimit } from '../health/rate-limit.js';
import { mayReceiveCredentials } from './realm.js';
import type { RegistrySession } from './registry.session.js';
import { basic, parseToken } from './token.service.js';
import type { Exchange } from '../transport/transport.js';
import type { Upstream } from '../upstream.js';

/** Bytes of a token answer. */
const maxResponseBytes = 1024 * 1024;

/** What time a host says it is. */
export interface SeenDate {
  readonly host: string;
  /** Milliseconds that this machine's clock is ahead. */
  readonly skew: number;
}

const fail = (detail: string): Finding => ({ status: 'fail', detail });
const warn = (detail: string): Finding => ({ status: 'warn', detail });
const ok = (detail: string): Finding => ({ status: 'ok', detail });

/** Asks for `/v2/` as clients sign in (end-1): the credentials are tried without any repository. */
export async function checkSignIn(
  upstream: Upstream,
  session: RegistrySession,
  seen: (date: SeenDate) => void,
): Promise<Finding> {
  const { credentials } = upstream.settings;
  const ping = (headers: Record<string, string>) =>
    ask(session, upstream, new URL('/v2/', upstream.base), headers, true);
  const first = await ping({});
  noteDate(first, seen);
  if (first.status === 200) return ok(credentials ? 'answers, and asks for no credentials' : 'answers');
  if (first.status === 429) return warn('answers, and limits us (429)');
  if (first.status !== 401) return fail(`answers ${first.status} to /v2/: no registry, or out of order`);
  const challenges = parseChallenges(first.body.headersDistinct['www-authenticate'] ?? []);
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
  if (bearer) return checkToken(upstream, session, bearer, ping);
  if (!challenges.some(({ scheme }) => scheme === 'basic')) return fail('asks for a way to sign in that is not known');
  if (!credentials) return warn('asks for a user and a password, and has none');
  const { status } = await ping({ authorization: basic(credentials.username, credentials.password.reveal()) });
  return status === 200 ? ok('signed in') : fail(`does not accept the user or the password (${status})`);
}

async function checkToken(
  upstream: Upstream,
  session: RegistrySession,
  { parameters }: Challenge,
  ping: (headers: Record<string, string>) => Promise<Exchange>,
): Promise<Finding> {
  const { credentials, tls } = upstream.settings;
  const realm = parameters.get('realm') ?? '';
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (!url || (tls && url.protocol !== 'https:')) return fail('names no usable token realm');
  if (credentials && !mayReceiveCredentials(upstream, url)) {
    return fail(`sends for a token to ${url.host}, which is not among its token_realms`);
  }
  const service = parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  const scope = parameters.get('scope') ?? '';
  if (scope !== '' && !scope.startsWith('repository:')) url.searchParams.set('scope', scope);
  const authorization = credentials && basic(credentials.username, credentials.password.reveal());
  const response = await session.send(upstream, url, { ...(authorization !== undefined && { authorization }) }, false);
  const body = await readBody(response.body, maxResponseBytes, response.host);
  if (response.status === 401 || response.status === 403) {
    if (credentials) return fail(`${response.host} does not accept the user or the password (${response.status})`);
    return warn(`${response.host} gives no token without credentials (${response.status})`);
  }
  if (response.status === 429) return warn(`${response.host} limits us (429)`);
  if (response.status !== 200) return fail(`${response.host} answers ${response.status} to a token request`);
  const { value } = parseToken(body, response.host);
  const second = await ping({ authorization: `Bearer ${value}` });
  const whose = credentials ? `token obtained from ${response.host}` : `anonymous token obtained from ${response.host}`;
  if (second.status === 200) return ok(`${whose}${limitOf(second)}`);
  return (credentials ? fail : warn)(`${whose}, and not accepted (${second.status})`);
}

/** Docker Hub tells of its limit in answers about manifests; a HEAD of this one is meant for that and does not count. */
export async function checkRateLimit(upstream: Upstream, session: RegistrySession): Promise<Finding> {
  const repository = 'ratelimitpreview/test';
  const path = `/v2/${repository}/manifests/latest`;
  const response = await session.ask({ upstream, repository, method: 'HEAD', path, headers: {} });
  discardBody(response.body, '0');
  const limit = parseRateLimit(response.headers);
  if (!limit) return ok('none that it tells of');
  const detail = `${limit.remaining} of ${limit.limit} pulls left in ${Math.round(limit.window / 3600)} h`;
  return limit.remaining < limit.limit / 10 ? warn(detail) : ok(detail);
}

async function ask(
  session: RegistrySession,
  upstream: Upstream,
  url: URL,
  headers: Record<string, string>,
  isFirstHop: boolean,
): Promise<Exchange> {
  const response = await session.send(upstream, url, headers, isFirstHop);
  discardBody(response.body, response.headers['content-length']);
  return response;
}

function limitOf({ headers }: Exchange): string {
  const limit = parseRateLimit(headers);
  return limit ? `; ${limit.remaining} of ${limit.limit} pulls left` : '';
}

function noteDate({ headers, host }: Exchange, seen: (date: SeenDate) => void): void {
  const date = Date.parse(headers.date ?? '');
  if (!Number.isNaN(date)) seen({ host, skew: Date.now() - date });
}
