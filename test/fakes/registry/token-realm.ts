import { type HttpResponse, errorResponse, jsonResponse } from './response.js';
import type { Behaviour } from './behaviour.js';
import type { RecordedRequest } from './request-log.js';

export interface TokenGrant {
  readonly authenticated: boolean;
  readonly covers: (repository: string) => boolean;
}

/** The token endpoint (the distribution project's token specification), and the tokens it has given. */
export class TokenRealm {
  readonly #grants = new Map<string, TokenGrant & { readonly expiresAt: number }>();
  #issued = 0;

  constructor(private readonly behaviour: Behaviour) {}

  /** Undefined when the token is unknown, revoked or expired. */
  find(token: string): TokenGrant | undefined {
    const grant = this.#grants.get(token);
    return grant && grant.expiresAt > Date.now() ? grant : undefined;
  }

  revokeAll(): void {
    this.#grants.clear();
  }

  /** @param credentials base64 of `username:password`. */
  isCaller(credentials: string, repository?: string): boolean {
    const { username, password, accepts } = this.behaviour;
    const sent = Buffer.from(credentials, 'base64').toString();
    const [user = '', secret = ''] = sent.split(/:(.*)/s);
    return accepts ? accepts(user, secret, repository) : sent === `${username}:${password}`;
  }

  mayRead(repository: string, authenticated: boolean): boolean {
    const { access, anonymous, auth } = this.behaviour;
    const right = access[repository] ?? (auth === 'bearer' && anonymous ? 'public' : 'private');
    return right === 'public' || (right === 'private' && authenticated);
  }

  respond(request: RecordedRequest): HttpResponse {
    const { token, challenge, anonymous } = this.behaviour;
    if (token.redirectTo !== undefined) {
      return { status: 302, headers: { location: token.redirectTo }, body: Buffer.alloc(0) };
    }
    if (request.method === 'POST' && Object.keys(this.behaviour.identityTokens).length > 0) {
      return this.#exchange(new URLSearchParams(request.content ?? ''));
    }
    if (request.method !== 'GET') return errorResponse(404, 'UNSUPPORTED', 'tokens are had with GET');
    const [scheme = '', credentials = ''] = (request.headers.authorization ?? '').split(' ');
    const authenticated = scheme !== '';
    const accepted = authenticated ? /^basic$/i.test(scheme) && this.isCaller(credentials) : anonymous;
    if (!accepted) return errorResponse(401, 'UNAUTHORIZED', 'incorrect username or password');
    const query = new URL(request.url, 'http://realm').searchParams;
    if (challenge.service !== undefined && query.get('service') !== challenge.service) {
      return errorResponse(400, 'UNKNOWN', 'another service');
    }
    const { accepts } = this.behaviour;
    const isOwn = accepts && authenticated ? (name: string) => this.isCaller(credentials, name) : () => true;
    return this.#grant(query.getAll('scope').join(' ').split(' ').filter(Boolean), authenticated, isOwn);
  }

  /** OAuth 2 (the distribution project's specification of it). */
  #exchange(form: URLSearchParams): HttpResponse {
    const { identityTokens, accepts } = this.behaviour;
    const account = identityTokens[form.get('refresh_token') ?? ''];
    const isComplete = form.get('grant_type') === 'refresh_token' && form.has('client_id') && form.has('service');
    if (!isComplete || account === undefined) return errorResponse(400, 'UNAUTHORIZED', 'invalid_grant');
    const isOwn = (name: string) => accepts?.(account, '', name) ?? true;
    return this.#grant((form.get('scope') ?? '').split(' ').filter(Boolean), true, isOwn);
  }

  #grant(scopes: readonly string[], authenticated: boolean, isOwn: (name: string) => boolean): HttpResponse {
    const { token, challenge } = this.behaviour;
    const wanted = scopes.map((scope) => /^repository:(?<name>[^ ]+):(?<actions>[^:]*)$/.exec(scope)?.groups);
    if (wanted.some((scope) => scope?.actions?.includes('push'))) return errorResponse(403, 'DENIED', 'pull only');
    const literal = typeof challenge.scope === 'object' ? challenge.scope.literal : undefined;
    const names = wanted.flatMap((scope) => scope?.name ?? []);
    const readable = new Set(names.filter((name) => this.mayRead(name, authenticated) && isOwn(name)));
    if (token.refusal !== 'token' && literal === undefined && names.some((name) => !readable.has(name))) {
      return errorResponse(token.refusal, token.refusal === 401 ? 'UNAUTHORIZED' : 'DENIED');
    }
    const everything = literal !== undefined && scopes.includes(literal);
    const covers = (name: string): boolean => (literal === undefined ? readable.has(name) : everything);
    return this.#issue({ authenticated, covers });
  }

  #issue(grant: TokenGrant): HttpResponse {
    const { field, expiresIn, lifetime } = this.behaviour.token;
    this.#issued += 1;
    const token = `planted-token-${this.#issued}`;
    this.#grants.set(token, { ...grant, expiresAt: Date.now() + (lifetime ?? expiresIn ?? 60) * 1000 });
    return jsonResponse(200, {
      ...(field !== 'access_token' && { token }),
      ...(field !== 'token' && { access_token: token }),
      ...(expiresIn !== undefined && { expires_in: expiresIn }),
    });
  }
}
