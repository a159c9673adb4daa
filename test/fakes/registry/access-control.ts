import { type HttpResponse, errorResponse } from './response.js';
import type { Behaviour } from './behaviour.js';
import { challengeHeaders } from './challenge.js';
import type { RecordedRequest } from './request-log.js';
import { type TokenGrant, TokenRealm } from './token-realm.js';

/** Decides who may do what; the refusal is an answer ready to send. */
export class AccessControl {
  readonly realm: TokenRealm;

  /** @param realmUrl where tokens are had, read at every challenge because a second port may be switched on later. */
  constructor(
    private readonly behaviour: Behaviour,
    private readonly realmUrl: () => string,
  ) {
    this.realm = new TokenRealm(behaviour);
  }

  /** Undefined when the request may go on. */
  findRefusal(request: RecordedRequest): HttpResponse | undefined {
    const { auth } = this.behaviour;
    const { repository, headers } = request;
    if (auth === 'none') return this.#mayRead(repository, true) ? undefined : this.#denied(request);
    const [scheme = '', credentials = ''] = (headers.authorization ?? '').split(' ');
    if (/^basic$/i.test(scheme) && (auth === 'basic' || this.behaviour.challenge.layout !== 'bearer')) {
      if (!this.realm.isCaller(credentials, repository)) return this.#unauthorized(request);
      return this.#mayRead(repository, true) ? undefined : this.#denied(request);
    }
    if (auth === 'basic') {
      const open = repository !== undefined && this.behaviour.access[repository] === 'public';
      return open ? undefined : this.#unauthorized(request);
    }
    if (!/^bearer$/i.test(scheme)) return this.#unauthorized(request);
    const grant = this.realm.find(credentials);
    if (!grant) return this.#unauthorized(request, 'invalid_token');
    return this.#covers(grant, repository) ? undefined : this.#denied(request);
  }

  /** The grant is checked again at every use: access may have been taken away since. */
  #covers(grant: TokenGrant, repository: string | undefined): boolean {
    if (repository === undefined) return true;
    return grant.covers(repository) && this.#mayRead(repository, grant.authenticated);
  }

  #mayRead(repository: string | undefined, authenticated: boolean): boolean {
    return repository === undefined || this.realm.mayRead(repository, authenticated);
  }

  #denied(request: RecordedRequest): HttpResponse {
    const { auth, deniedStatus } = this.behaviour;
    if (auth !== 'bearer' || deniedStatus === 403) return errorResponse(403, 'DENIED', 'requested access is denied');
    return this.#unauthorized(request, 'insufficient_scope');
  }

  #unauthorized(request: RecordedRequest, error?: 'invalid_token' | 'insufficient_scope'): HttpResponse {
    const headers = challengeHeaders(this.behaviour, this.realmUrl(), request, error);
    return errorResponse(401, 'UNAUTHORIZED', 'authentication required', headers);
  }
}
