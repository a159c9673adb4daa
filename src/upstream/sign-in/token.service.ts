import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import type { Clock } from '../../config/clock/clock.js';
import type { BodyMemory } from '../../config/memory/body.memory.js';
import type { Challenge } from '../../oci/challenge.js';
import { JsonError, readJson, type JsonShape } from '../../oci/json/json.js';
import { receiveBody } from '../transport/body.js';
import { parseRetryAfter } from '../../config/transport/retry-after.js';
import type { Exchange } from '../transport/transport.js';
import { errorOfStatus, UpstreamError } from '../upstream-error.js';
import type { UpstreamCredentials } from '../credentials/credential.source.js';
import type { Upstream } from '../upstream.js';
import type { SignIn } from './sign-in.js';

/** Maximum bytes of a token response. */
const maxResponseBytes = 1024 * 1024;
/** Lifetime in seconds when the response states none, and the shortest assumed (distribution token specification). */
const defaultLifetime = 60;
/** Longest lifetime in seconds that is accepted. */
const longestLifetime = 86_400;
const tokenShape: JsonShape = { fields: { token: 'value', access_token: 'value', expires_in: 'value' } };
/** Maximum number of cached tokens. */
const maxTokens = 10_000;

/** Results of token requests. */
export interface TokenCounts {
  granted: number;
  /** Because of the credentials or their absence. */
  refused: number;
  failed: number;
}

interface Token {
  readonly value: string;
  /** On the monotonic clock, in milliseconds. */
  readonly expiresAt: number;
}

/** Sends a GET to a URL on behalf of an upstream, or a POST of a form; no redirects are followed. */
export type TokenFetcher = (
  upstream: Upstream,
  url: URL,
  headers: Record<string, string>,
  form?: string,
) => Promise<Exchange>;

/** What a token is requested for. */
export interface TokenRequest {
  readonly upstream: Upstream;
  /** Origin of the server that sent the challenge: the token is only sent there. */
  readonly origin: string;
  readonly challenge: Challenge;
  /** Repository the request is about, by its name at the upstream, for the scope. */
  readonly repository: string;
  /** Whether the server is the upstream itself: only then are credentials used. */
  readonly isRegistry: boolean;
  readonly signIn: SignIn;
}

/** Bearer tokens: at most one concurrent request per realm, service, scope and credentials, cached for 80 % of their lifetime. */
export class TokenService {
  private readonly tokens = new LRUCache<string, Token>(atMost(maxTokens));
  private readonly running = new Map<string, Promise<Token>>();
  readonly counts: TokenCounts = { granted: 0, refused: 0, failed: 0 };

  constructor(
    private readonly fetch: TokenFetcher,
    private readonly clock: Clock,
    private readonly memory: BodyMemory,
  ) {}

  /** @throws UpstreamError when no token can be obtained; `unauthorized` because of the credentials or their absence */
  async get(request: TokenRequest): Promise<string> {
    const url = tokenUrl(request);
    const { upstream, origin, isRegistry, signIn } = request;
    const credentials = isRegistry ? await signIn.credentials() : undefined;
    const key = `${upstream.key} ${isRegistry ? signIn.key : ''} ${origin} ${isRegistry} ${url.href}`;
    const known = this.tokens.get(key);
    if (known && known.expiresAt > this.clock.monotonic()) return known.value;
    const running = this.running.get(key) ?? this.start(key, url, request, credentials);
    return (await running).value;
  }

  /** Forgets a token that the upstream refused. */
  forget(value: string): void {
    for (const [key, token] of this.tokens.entries()) if (token.value === value) this.tokens.delete(key);
  }

  private start(
    key: string,
    url: URL,
    request: TokenRequest,
    credentials: UpstreamCredentials | undefined,
  ): Promise<Token> {
    const running = this.request(url, request, credentials)
      .then(
        (token) => {
          this.counts.granted += 1;
          this.tokens.set(key, token);
          return token;
        },
        (error: unknown) => {
          const isRefused = error instanceof UpstreamError && error.kind === 'unauthorized';
          this.counts[isRefused ? 'refused' : 'failed'] += 1;
          throw error;
        },
      )
      .finally(() => this.running.delete(key));
    this.running.set(key, running);
    return running;
  }

  private async request(
    url: URL,
    { upstream, repository, signIn }: TokenRequest,
    credentials: UpstreamCredentials | undefined,
  ): Promise<Token> {
    if (credentials && !(await mayReceiveCredentials(upstream, url))) {
      throw new UpstreamError(
        'wrong',
        `${upstream.base.host} requests tokens from ${url.host}, which is not in its token_realms`,
      );
    }
    const receivedAt = this.clock.monotonic();
    const response = await requestToken(this.fetch, upstream, url, credentials);
    const { status, headers, host } = response;
    const { content, hold } = await receiveBody(response, maxResponseBytes, this.memory, upstream.id);
    hold.handOver();
    // OAuth 2 refuses a refresh token with 400 (RFC 6749 §5.2).
    const isInvalidGrant = status === 400 && credentials?.kind === 'identity-token';
    if (credentials && (status === 401 || isInvalidGrant))
      signIn.state?.noteRefused(repository, `${host} responded with ${status}`);
    if (isInvalidGrant) throw refusalOfToken(status, host);
    if (status !== 200) throw errorOfToken(status, host, parseRetryAfter(headers['retry-after'], this.clock.now()));
    const { value, lifetime } = parseToken(content, host);
    return { value, expiresAt: receivedAt + lifetime * 1000 * 0.8 };
  }
}

/** Requests a token with the credentials, or without. The caller has checked that the realm may have them. */
export function requestToken(
  fetch: TokenFetcher,
  upstream: Upstream,
  url: URL,
  credentials: UpstreamCredentials | undefined,
): Promise<Exchange> {
  const accept = 'application/json';
  if (!credentials) return fetch(upstream, url, { accept });
  const { kind, username, password } = credentials;
  if (kind === 'password') return fetch(upstream, url, { accept, authorization: basic(username, password.reveal()) });
  const endpoint = new URL(url);
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'oci-registry' });
  for (const name of ['service', 'scope']) {
    const value = endpoint.searchParams.get(name);
    if (value !== null) form.set(name, value);
    endpoint.searchParams.delete(name);
  }
  form.set('refresh_token', password.reveal());
  return fetch(upstream, endpoint, { accept, 'content-type': 'application/x-www-form-urlencoded' }, form.toString());
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** @throws UpstreamError `wrong` when the realm is not a URL that tokens may be requested from. */
function tokenUrl({ upstream, origin, challenge, repository, isRegistry }: TokenRequest): URL {
  const realm = challenge.parameters.get('realm') ?? '';
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  const isAllowed = url?.protocol === 'https:' || (url?.protocol === 'http:' && !upstream.settings.tls);
  if (!url || !isAllowed || url.username !== '' || url.password !== '') {
    throw new UpstreamError('wrong', `${upstream.base.host} names no usable token realm`);
  }
  // A redirect target could otherwise have tokens fetched from, and revealed by, servers that only this one can reach.
  if (!isRegistry && url.origin !== origin && !upstream.listsRealm(url)) {
    const target = new URL(origin).host;
    throw new UpstreamError(
      'wrong',
      `${target}, which ${upstream.base.host} redirects to, requests tokens from ${url.host}, which is not in token_realms`,
    );
  }
  const service = challenge.parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scopeOf(challenge.parameters.get('scope'), repository, isRegistry));
  return url;
}

/**
 * Some registries send a placeholder scope (ghcr.io: `repository:user/image:pull`), so the scope is built from the
 * repository. Other scope types (public.ecr.aws: `aws`) and those of redirect targets are used literally.
 */
function scopeOf(sent: string | undefined, repository: string, isRegistry: boolean): string {
  const isLiteral = sent !== undefined && sent !== '' && (!isRegistry || !sent.startsWith('repository:'));
  return isLiteral ? sent : `repository:${repository}:pull`;
}

function refusalOfToken(status: number, host: string): UpstreamError {
  return new UpstreamError('unauthorized', `${host} issues no token for this repository`, undefined, { host, status });
}

function errorOfToken(status: number, host: string, retryAfter: number | undefined): UpstreamError {
  if (status === 401 || status === 403) return refusalOfToken(status, host);
  // A missing token endpoint does not mean that the image is missing.
  if (status === 404 || status === 410)
    return new UpstreamError('wrong', `${host} responded with ${status} to a token request`, undefined, {
      host,
      status,
    });
  return errorOfStatus(status, host, retryAfter);
}

/** Value and lifetime in seconds of a token response. @throws UpstreamError `wrong` */
export function parseToken(content: Buffer, host: string): { value: string; lifetime: number } {
  const wrong = () => new UpstreamError('wrong', `${host} sent an invalid token response`, undefined, { host });
  let document: unknown;
  try {
    document = readJson(content, tokenShape);
  } catch (error) {
    throw error instanceof JsonError ? wrong() : error;
  }
  if (typeof document !== 'object' || document === null) throw wrong();
  const { token, access_token: accessToken, expires_in: expiresIn } = document as Record<string, unknown>;
  const value = [token, accessToken].find(
    (text): text is string => typeof text === 'string' && /^[\x21-\x7e]{1,65536}$/.test(text),
  );
  if (value === undefined) throw wrong();
  const lifetime = typeof expiresIn === 'number' && Number.isFinite(expiresIn) ? expiresIn : defaultLifetime;
  return { value, lifetime: Math.min(Math.max(lifetime, defaultLifetime), longestLifetime) };
}

/** Loads the large public suffix list only when credentials are used. */
async function mayReceiveCredentials(upstream: Upstream, realm: URL): Promise<boolean> {
  const rule = await import('./realm.js');
  return rule.mayReceiveCredentials(upstream, realm);
}
