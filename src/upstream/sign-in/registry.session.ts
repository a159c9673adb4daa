import { LRUCache } from 'lru-cache';
import { contextHeaders } from '../../config/request.context.js';
import { parseChallenges, type Challenge } from '../../oci/challenge.js';
import { AddressError } from '../transport/address.guard.js';
import type { Agents } from '../transport/agents.js';
import { discardBody } from '../transport/body.js';
import { basic, type TokenService } from './token.service.js';
import { exchange, headDeadline, type Exchange } from '../transport/transport.js';
import { UpstreamError } from '../upstream-error.js';
import type { Upstream } from '../upstream.js';
import { resultOf } from '../health/upstream.counts.js';

const maxRedirects = 5;
/** Remembered ways to sign in, per origin and repository. */
const maxAuthorizations = 10_000;

/** One question to an upstream about one repository. */
export interface Question {
  readonly upstream: Upstream;
  readonly repository: string;
  readonly method: 'GET' | 'HEAD';
  /** Below the registry's base, beginning with `/v2/`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How a server wanted to be asked the last time. */
type Authorization = { readonly scheme: 'basic' } | { readonly scheme: 'bearer'; readonly challenge: Challenge };

/** Where a request stands: the registry itself, or a server it redirected to. */
interface Hop {
  readonly url: URL;
  readonly isRegistry: boolean;
}

/**
 * Asks upstreams, signing in as they want it and following their redirects: the one algorithm that every registry we
 * know of takes (upstreams.md). Credentials and tokens go to the origin that they are for and to no other.
 */
export class RegistrySession {
  private readonly authorizations = new LRUCache<string, Authorization>({ max: maxAuthorizations });

  constructor(
    private readonly agents: Agents,
    private readonly tokens: TokenService,
  ) {}

  /** The answer's head, whatever its status, after sign-in and redirects. @throws UpstreamError */
  async ask(question: Question): Promise<Exchange> {
    let hop: Hop = { url: new URL(question.path, question.upstream.base), isRegistry: true };
    for (let redirects = 0; ; redirects += 1) {
      const response = await this.askSignedIn(question, hop);
      const location = redirectTarget(response);
      if (location === undefined) return response;
      discardBody(response.body, response.headers['content-length']);
      if (redirects === maxRedirects) throw new UpstreamError('wrong', `${response.host} redirects without end`);
      hop = nextHop(question.upstream, hop, location);
    }
  }

  /** Sends one request without sign-in or redirects: for tokens. */
  async send(
    upstream: Upstream,
    url: URL,
    headers: Record<string, string>,
    isFirstHop: boolean,
    question?: Question,
  ): Promise<Exchange> {
    const { userAgent } = upstream.settings;
    try {
      const agent = this.agents.for(url, upstream);
      const response = await exchange({
        method: question?.method ?? 'GET',
        url,
        agent,
        deadline: headDeadline,
        headers: {
          'accept-encoding': 'identity',
          'user-agent': userAgent ?? 'oci-registry',
          // Only the registry itself learns what its answer is for.
          ...(isFirstHop && contextHeaders()),
          ...headers,
        },
      });
      upstream.counts.requests[resultOf(response.status)] += 1;
      return response;
    } catch (error) {
      upstream.counts.requests.unreachable += 1;
      throw explain(error, upstream, url, isFirstHop);
    }
  }

  private async askSignedIn(question: Question, hop: Hop): Promise<Exchange> {
    const key = `${question.upstream.id} ${hop.url.origin} ${question.repository}`;
    const known = this.authorizations.get(key);
    const asked = await this.askOnce(question, hop, known);
    const first = await this.askUnsigned(question, hop, asked);
    if (first.response.status !== 401) return first.response;
    return this.answerChallenge(question, hop, key, first);
  }

  /**
   * Asks again without a token when the one it brought was refused as such: the challenge may then name a realm that is
   * of no use (nvcr.io, upstreams.md), and only what is said to those who come without one counts.
   */
  private async askUnsigned(question: Question, hop: Hop, asked: Asked): Promise<Asked> {
    if (asked.token === undefined || !isInvalidToken(asked.response)) return asked;
    this.tokens.forget(asked.token);
    discardBody(asked.response.body, asked.response.headers['content-length']);
    return this.askOnce(question, hop, undefined);
  }

  /** Signs in once. When a token was refused as such, asks without one before giving up (nvcr.io, upstreams.md). */
  private async answerChallenge(question: Question, hop: Hop, key: string, refused: Asked): Promise<Exchange> {
    if (refused.token !== undefined) this.tokens.forget(refused.token);
    const authorization = await this.readChallenges(question, hop, refused.response);
    if (authorization === undefined || isUseless(authorization, question.upstream, hop)) return refused.response;
    discardBody(refused.response.body, refused.response.headers['content-length']);
    const second = await this.askOnce(question, hop, authorization);
    if (second.response.status !== 401) {
      this.authorizations.set(key, authorization);
      return second.response;
    }
    if (second.token !== undefined) this.tokens.forget(second.token);
    this.authorizations.delete(key);
    if (isInvalidToken(second.response)) {
      discardBody(second.response.body, second.response.headers['content-length']);
      return (await this.askOnce(question, hop, undefined)).response;
    }
    if (isPrivateOrAbsent(second.response, question.upstream)) {
      second.response.body.destroy();
      // Docker Hub gives anybody a token and then says 401 for what is private and for what does not exist alike.
      throw new UpstreamError('missing', `${second.response.host} has no such public repository`);
    }
    return second.response;
  }

  private async askOnce(question: Question, hop: Hop, authorization: Authorization | undefined): Promise<Asked> {
    const { upstream, repository, headers } = question;
    const { url, isRegistry } = hop;
    const credentials = upstream.settings.credentials;
    if (authorization?.scheme === 'basic' && credentials && isRegistry) {
      const value = basic(credentials.username, credentials.password.reveal());
      return { response: await this.send(upstream, url, { ...headers, authorization: value }, isRegistry, question) };
    }
    if (authorization?.scheme !== 'bearer')
      return { response: await this.send(upstream, url, { ...headers }, isRegistry, question) };
    const { challenge } = authorization;
    const token = await this.tokens.get({ upstream, origin: url.origin, challenge, repository, isRegistry });
    const response = await this.send(
      upstream,
      url,
      { ...headers, authorization: `Bearer ${token}` },
      isRegistry,
      question,
    );
    return { response, token };
  }

  /** The best of the challenges; those of `/v2/` when the answer has none (gcr.io once). */
  private async readChallenges(
    { upstream }: Question,
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

interface Asked {
  readonly response: Exchange;
  readonly token?: string;
}

function challengesOf({ body }: Exchange): Challenge[] {
  // Joined headers cannot be told from one header with several challenges; the raw ones can.
  return parseChallenges(body.headersDistinct['www-authenticate'] ?? []);
}

function errorsOf(response: Exchange): string[] {
  return challengesOf(response).flatMap(({ parameters }) => parameters.get('error') ?? []);
}

function isInvalidToken(response: Exchange): boolean {
  return response.status === 401 && errorsOf(response).includes('invalid_token');
}

function choose(challenges: readonly Challenge[]): Authorization | undefined {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
  if (bearer) return { scheme: 'bearer', challenge: bearer };
  return challenges.some(({ scheme }) => scheme === 'basic') ? { scheme: 'basic' } : undefined;
}

function isUseless({ scheme }: Authorization, { settings }: Upstream, { isRegistry }: Hop): boolean {
  return scheme === 'basic' && (!isRegistry || settings.credentials === undefined);
}

function isPrivateOrAbsent(response: Exchange, { settings }: Upstream): boolean {
  return settings.credentials === undefined && errorsOf(response).includes('insufficient_scope');
}

function redirectTarget({ status, headers }: Exchange): string | undefined {
  return [301, 302, 303, 307, 308].includes(status) ? headers.location : undefined;
}

/** @throws UpstreamError `wrong` for a target that is no URL, carries credentials, or leaves https. */
function nextHop(upstream: Upstream, { url, isRegistry }: Hop, location: string): Hop {
  const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
  const isSafe = target?.protocol === 'https:' || (target?.protocol === 'http:' && url.protocol === 'http:');
  if (!target || !isSafe || target.username !== '' || target.password !== '') {
    throw new UpstreamError('wrong', `${url.host} redirects to a place that is not safe to follow`);
  }
  return { url: target, isRegistry: isRegistry && target.origin === upstream.base.origin };
}

/** Blames the namespace for its own host and the upstream for where it sent us. */
function explain(error: unknown, upstream: Upstream, url: URL, isFirstHop: boolean): unknown {
  const refusal =
    error instanceof AddressError ? new UpstreamError('refused', `${url.host} is not at a public address`) : error;
  if (!(refusal instanceof UpstreamError)) return refusal;
  if (refusal.kind === 'refused' && !isFirstHop) {
    return new UpstreamError('wrong', `${upstream.base.host} sends to ${url.host}, which is not at a public address`);
  }
  if (refusal.kind === 'unresolved' && (upstream.isConfigured || !isFirstHop)) {
    return new UpstreamError('unavailable', refusal.message);
  }
  return refusal;
}
