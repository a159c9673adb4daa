import { Logger } from '@nestjs/common';
import type { Agent } from 'node:http';
import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { contextHeaders } from '../../config/tracing/request.context.js';
import type { Agents } from '../transport/agents.js';
import { discardBody } from '../transport/body.js';
import { challengesOf, choose, errorsOf, isInvalidToken, type Authorization } from './challenges.js';
import { basic, type TokenService } from './token.service.js';
import { SignIn } from './sign-in.js';
import { TokenUse } from './token.use.js';
import { nextHop, redirectTarget, type Hop } from '../transport/redirect.js';
import { exchange, headDeadline, toUpstreamError, type Exchange } from '../transport/transport.js';
import { UpstreamError } from '../upstream-error.js';
import type { Upstream } from '../upstream.js';
import { resultOf } from '../health/upstream.counts.js';

const maxRedirects = 5;
/** Maximum number of remembered authorizations, per origin and repository. */
const maxAuthorizations = 10_000;

/** One request to an upstream about one repository. */
export interface UpstreamRequest {
  readonly upstream: Upstream;
  /** Its name for clients. */
  readonly repository: string;
  readonly method: 'GET' | 'HEAD';
  /** Path below the repository, and the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Sends requests to upstreams, signing in and following redirects with an algorithm that works with every known registry
 * (upstreams.md). Credentials and tokens are only sent to the origin that they are for.
 */
export class RegistrySession {
  private readonly logger = new Logger('Upstream');
  private readonly use = new TokenUse();
  /** Whether a host that is not an address has responded since the start. */
  private resolvesNames = false;
  private readonly authorizations = new LRUCache<string, Authorization>(atMost(maxAuthorizations));

  constructor(
    private readonly agents: Agents,
    private readonly tokens: TokenService,
  ) {}

  /** Returns the response, whatever its status, after sign-in and redirects. @throws UpstreamError */
  async request(request: UpstreamRequest): Promise<Exchange> {
    const { upstream, repository, path } = request;
    let hop: Hop = { url: new URL(`/v2/${upstream.nameOf(repository)}/${path}`, upstream.base), isRegistry: true };
    for (let redirects = 0; ; redirects += 1) {
      const response = await this.sendSignedIn(request, hop);
      const location = redirectTarget(response);
      if (location === undefined) return response;
      discardBody(response.body, response.headers['content-length']);
      if (redirects === maxRedirects)
        throw new UpstreamError('wrong', `${response.host} redirects more than ${maxRedirects} times`);
      hop = nextHop(upstream, hop, location);
    }
  }

  /** Sends one request without sign-in or redirects. */
  async send(
    upstream: Upstream,
    url: URL,
    headers: Record<string, string>,
    isFirstHop: boolean,
    method: 'GET' | 'HEAD' | 'POST' = 'GET',
    content?: string,
  ): Promise<Exchange> {
    const { userAgent } = upstream.settings;
    try {
      const agent = await this.selectAgent(url, upstream);
      const response = await exchange({
        method,
        url,
        content,
        agent,
        deadline: headDeadline,
        headers: {
          'accept-encoding': 'identity',
          'user-agent': userAgent ?? 'oci-registry',
          // Only the registry itself receives the trace context.
          ...(isFirstHop && contextHeaders()),
          ...headers,
        },
      });
      upstream.counts.requests[resultOf(response.status)] += 1;
      upstream.wasReached ||= isFirstHop;
      this.resolvesNames ||= isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0;
      return response;
    } catch (error) {
      upstream.counts.requests.unreachable += 1;
      throw this.explain(error, upstream, url, isFirstHop);
    }
  }

  private async selectAgent(url: URL, upstream: Upstream): Promise<Agent> {
    try {
      return await this.agents.select(url, upstream);
    } catch (error) {
      throw toUpstreamError(error, url.host);
    }
  }

  /**
   * Attributes an error to the namespace for its own host, and to the upstream for hosts that it named. Whether such a host
   * does not exist or has a private address is only logged: requesters could otherwise explore the local network.
   */
  private explain(error: unknown, upstream: Upstream, url: URL, isFirstHop: boolean): unknown {
    if (!(error instanceof UpstreamError)) return error;
    const { kind, message, source } = error;
    if (kind !== 'refused' && kind !== 'unresolved') return error;
    if (upstream.trusts(url)) {
      // Where other names resolve, one that never has is a mistake; otherwise the name service may be out.
      const isMistake = isFirstHop && this.resolvesNames && !upstream.wasReached;
      return kind === 'unresolved' && !isMistake ? new UpstreamError('unavailable', message, undefined, source) : error;
    }
    this.logger.log(`${upstream.id}: ${message}`);
    const text = 'does not resolve to a public address';
    if (isFirstHop) return new UpstreamError(kind, `${url.host} ${text}`, undefined, source);
    return new UpstreamError(
      'wrong',
      `${upstream.base.host} refers to ${url.host}, which ${text} and is not in redirect_hosts or token_realms`,
      undefined,
      { host: url.host },
    );
  }

  /** Signs in with other credentials, once, when those that a source gave are refused. */
  private async sendSignedIn(request: UpstreamRequest, hop: Hop): Promise<Exchange> {
    const { upstream, repository } = request;
    const set = hop.isRegistry ? upstream.credentials.of(repository) : undefined;
    const signIn = new SignIn(set, upstream.nameOf(repository));
    try {
      const response = await this.sendWith(request, hop, signIn);
      if (!isRefusal(response.status) || !(await signIn.renew())) return response;
      discardBody(response.body, response.headers['content-length']);
    } catch (error) {
      const isRefused = error instanceof UpstreamError && error.kind === 'unauthorized';
      if (!isRefused || !(await signIn.renew())) throw error;
    }
    return this.sendWith(request, hop, signIn);
  }

  private async sendWith(request: UpstreamRequest, hop: Hop, signIn: SignIn): Promise<Exchange> {
    const key = `${request.upstream.key} ${hop.url.origin} ${request.repository}`;
    const known = this.authorizations.get(key);
    const sent = await this.sendOnce(request, hop, known, signIn);
    const renewed = await this.renewToken(request, hop, known, sent, signIn);
    const first = await this.retryWithoutToken(request, hop, renewed, signIn);
    if (first.response.status !== 401) return first.response;
    return this.answerChallenge(request, hop, key, first, signIn);
  }

  /** Sends the request again with a new token when the old one has worked before and is refused with 403 (upstreams.md). */
  private async renewToken(
    request: UpstreamRequest,
    hop: Hop,
    known: Authorization | undefined,
    sent: Sent,
    signIn: SignIn,
  ): Promise<Sent> {
    const { token, response } = sent;
    if (token === undefined || response.status !== 403 || !this.use.mayHaveExpired(token, hop.url)) return sent;
    this.tokens.forget(token);
    discardBody(response.body, response.headers['content-length']);
    const renewed = await this.sendOnce(request, hop, known, signIn);
    if (renewed.response.status === 403) this.use.noteDenied(hop.url);
    return renewed;
  }

  /**
   * Sends the request again without a token when its token was refused as invalid. The challenge of such a refusal may
   * name a realm of no use (nvcr.io, upstreams.md); only that of a request without a token counts.
   */
  private async retryWithoutToken(request: UpstreamRequest, hop: Hop, sent: Sent, signIn: SignIn): Promise<Sent> {
    if (sent.token === undefined || !isInvalidToken(sent.response)) return sent;
    this.tokens.forget(sent.token);
    discardBody(sent.response.body, sent.response.headers['content-length']);
    return this.sendOnce(request, hop, undefined, signIn);
  }

  /** Signs in once. When the new token is refused as invalid, tries once without (nvcr.io, upstreams.md). */
  private async answerChallenge(
    request: UpstreamRequest,
    hop: Hop,
    key: string,
    refused: Sent,
    signIn: SignIn,
  ): Promise<Exchange> {
    if (refused.token !== undefined) this.tokens.forget(refused.token);
    const authorization = await this.readChallenges(request, hop, refused.response);
    if (authorization === undefined || (await isUnusable(authorization, hop, signIn))) return refused.response;
    discardBody(refused.response.body, refused.response.headers['content-length']);
    const second = await this.sendOnce(request, hop, authorization, signIn);
    if (second.response.status !== 401) {
      this.authorizations.set(key, authorization);
      return second.response;
    }
    if (second.token !== undefined) this.tokens.forget(second.token);
    this.authorizations.delete(key);
    if (isInvalidToken(second.response)) {
      discardBody(second.response.body, second.response.headers['content-length']);
      return (await this.sendOnce(request, hop, undefined, signIn)).response;
    }
    if (isPrivateOrAbsent(second.response, signIn)) {
      second.response.body.destroy();
      // Docker Hub issues a token to anybody and then responds 401 for both private and nonexistent repositories.
      throw new UpstreamError('missing', `${second.response.host} has no such public repository`);
    }
    return second.response;
  }

  private async sendOnce(
    request: UpstreamRequest,
    hop: Hop,
    authorization: Authorization | undefined,
    signIn: SignIn,
  ): Promise<Sent> {
    const { upstream, headers, method } = request;
    const { url, isRegistry } = hop;
    const repository = upstream.nameOf(request.repository);
    const credentials = isRegistry && authorization ? await signIn.credentials() : undefined;
    if (authorization?.scheme === 'basic' && credentials?.kind === 'password') {
      const value = basic(credentials.username, credentials.password.reveal());
      const response = await this.send(upstream, url, { ...headers, authorization: value }, isRegistry, method);
      if (response.status === 401) signIn.state?.noteRefused(repository, `${response.host} responded with 401`);
      noteAccepted(signIn, response.status);
      return { response };
    }
    if (authorization?.scheme !== 'bearer')
      return { response: await this.send(upstream, url, { ...headers }, isRegistry, method) };
    const { challenge } = authorization;
    const token = await this.tokens.get({ upstream, origin: url.origin, challenge, repository, isRegistry, signIn });
    const response = await this.send(
      upstream,
      url,
      { ...headers, authorization: `Bearer ${token}` },
      isRegistry,
      method,
    );
    if (response.status !== 401 && response.status !== 403) this.use.noteAccepted(token);
    if (credentials) noteAccepted(signIn, response.status);
    return { response, token };
  }

  /** The best of the challenges; those of `/v2/` when the response has none (as gcr.io once did). */
  private async readChallenges(
    { upstream }: UpstreamRequest,
    hop: Hop,
    response: Exchange,
  ): Promise<Authorization | undefined> {
    const own = choose(challengesOf(response));
    if (own || !hop.isRegistry) return own;
    const ping = await this.send(upstream, new URL('/v2/', upstream.base), {}, true);
    discardBody(ping.body, ping.headers['content-length']);
    return ping.status === 401 ? choose(challengesOf(ping)) : undefined;
  }
}

/** @param status of a response to the credentials, or to a token for them. */
function noteAccepted({ state }: SignIn, status: number): void {
  if (status < 400 || status === 404) state?.noteAccepted();
}

interface Sent {
  readonly response: Exchange;
  readonly token?: string;
}

/** @throws CredentialsUnavailableError */
async function isUnusable({ scheme }: Authorization, { isRegistry }: Hop, signIn: SignIn): Promise<boolean> {
  return scheme === 'basic' && (!isRegistry || (await signIn.credentials())?.kind !== 'password');
}

function isRefusal(status: number): boolean {
  return status === 401 || status === 403;
}

function isPrivateOrAbsent(response: Exchange, { used }: SignIn): boolean {
  return used === undefined && errorsOf(response).includes('insufficient_scope');
}
