import type { Finding } from '../../config/check.js';
import type { UpstreamCredentials } from '../credentials/credential.source.js';
import { parseChallenges, type Challenge } from '../../oci/challenge.js';
import { discardBody, readBody } from '../transport/body.js';
import { parseRateLimit } from '../health/rate-limit.js';
import { mayReceiveCredentials } from './realm.js';
import type { RegistrySession } from './registry.session.js';
import { basic, parseToken, requestToken, type TokenFetcher } from './token.service.js';
import { tlsHint } from '../transport/tls-remedies.js';
import type { Exchange } from '../transport/transport.js';
import type { Upstream } from '../upstream.js';

/** Maximum bytes of a token response. */
const maxResponseBytes = 1024 * 1024;

/** Clock difference to a host, from its Date header. */
export interface SeenDate {
  readonly host: string;
  /** Milliseconds that the local clock is ahead. */
  readonly skew: number;
}

const fail = (detail: string): Finding => ({ status: 'fail', detail });
const warn = (detail: string): Finding => ({ status: 'warn', detail });
const ok = (detail: string): Finding => ({ status: 'ok', detail });

/** Signs in at `/v2/` (end-1), which tries the credentials without a repository. */
export async function checkSignIn(
  upstream: Upstream,
  session: RegistrySession,
  seen: (date: SeenDate) => void,
  credentials: UpstreamCredentials | undefined,
): Promise<Finding> {
  const ping = (headers: Record<string, string>) =>
    ask(session, upstream, new URL('/v2/', upstream.base), headers, true);
  const first = await ping({});
  noteDate(first, seen);
  const present = ({ username, password }: UpstreamCredentials) =>
    ping({ authorization: basic(username, password.reveal()) });
  if (first.status === 200) {
    if (!credentials) return ok('available');
    if (credentials.kind === 'identity-token') return ok('available, requires no credentials');
    // A registry with public content may still know that these are wrong.
    const { status } = await present(credentials);
    const isRejected = status === 401 || status === 403;
    return isRejected
      ? fail(`available without credentials, but rejects the user or password (${status})`)
      : ok('available, requires no credentials');
  }
  if (first.status === 429) return warn('rate-limited (429)');
  // Servers that expect TLS respond so to plain http.
  if (first.status === 400 && !upstream.settings.tls) return fail(`responds 400 to /v2/: ${tlsHint}`);
  if (first.status !== 401) return fail(`responds ${first.status} to /v2/: not a registry, or not working`);
  const challenges = parseChallenges(first.body.headersDistinct['www-authenticate'] ?? []);
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
  if (bearer) return checkToken(upstream, session, bearer, ping, credentials);
  if (!challenges.some(({ scheme }) => scheme === 'basic'))
    return fail('requires an unsupported authentication scheme');
  if (!credentials) return warn('requires a user and password; none configured');
  if (credentials.kind === 'identity-token')
    return fail('requires a user and password, and there is an identity token');
  const { status } = await present(credentials);
  return status === 200 ? ok('signed in') : fail(`rejects the user or password (${status})`);
}

async function checkToken(
  upstream: Upstream,
  session: RegistrySession,
  { parameters }: Challenge,
  ping: (headers: Record<string, string>) => Promise<Exchange>,
  credentials: UpstreamCredentials | undefined,
): Promise<Finding> {
  const { tls } = upstream.settings;
  const realm = parameters.get('realm') ?? '';
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (!url || (tls && url.protocol !== 'https:')) return fail('names no usable token realm');
  if (credentials && !mayReceiveCredentials(upstream, url)) {
    return fail(`requests tokens from ${url.host}, which is not in its token_realms`);
  }
  const service = parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  const scope = parameters.get('scope') ?? '';
  if (scope !== '' && !scope.startsWith('repository:')) url.searchParams.set('scope', scope);
  const send: TokenFetcher = (of, at, headers, form) =>
    session.send(of, at, headers, false, form === undefined ? 'GET' : 'POST', form);
  const response = await requestToken(send, upstream, url, credentials);
  const body = await readBody(response.body, maxResponseBytes, response.host);
  const isInvalidGrant = response.status === 400 && credentials?.kind === 'identity-token';
  if (response.status === 401 || response.status === 403 || isInvalidGrant) {
    const what = credentials?.kind === 'identity-token' ? 'identity token' : 'user or password';
    if (credentials) return fail(`${response.host} rejects the ${what} (${response.status})`);
    return warn(`${response.host} issues no token without credentials (${response.status})`);
  }
  if (response.status === 429) return warn(`${response.host} is rate-limiting (429)`);
  if (response.status !== 200) return fail(`${response.host} responds ${response.status} to a token request`);
  const { value } = parseToken(body, response.host);
  const second = await ping({ authorization: `Bearer ${value}` });
  const whose = credentials ? `token obtained from ${response.host}` : `anonymous token obtained from ${response.host}`;
  if (second.status === 200) return ok(`${whose}${limitOf(second)}`);
  return (credentials ? fail : warn)(`${whose}, but not accepted (${second.status})`);
}

/** Docker Hub reports its limit in manifest responses; a HEAD of this repository exists for that and does not count. */
export async function checkRateLimit(upstream: Upstream, session: RegistrySession): Promise<Finding> {
  const repository = 'ratelimitpreview/test';
  const request = { upstream, repository, method: 'HEAD', path: 'manifests/latest', headers: {} } as const;
  const response = await session.request(request);
  discardBody(response.body, '0');
  const limit = parseRateLimit(response.headers);
  if (!limit) return ok('none reported');
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
