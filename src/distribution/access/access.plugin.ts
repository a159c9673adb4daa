import type { INestApplicationContext } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TLSSocket } from 'node:tls';
import { AccessService } from '../../access/access.service.js';
import { readAuthorization } from '../../access/authorization.js';
import { identify, signedInField, signedInOf } from '../../access/identified.request.js';
import { anonymous, isAnonymous } from '../../access/rules/identity.js';
import { SignInRefused, type SignedIn } from '../../access/sign-in.js';
import type { Scope } from '../../access/tokens/scope.js';
import type { Right } from '../../config/access/rule.settings.js';
import { OciError } from '../../oci/error.js';
import { parseReference } from '../../oci/reference.js';
import { RepositoryRef } from '../../oci/repository.js';
import { LastOutcomes } from '../../registry/statistics/last.outcomes.js';
import { toOciError } from '../exception.filter.js';
import { RequesterPipe } from '../requester.pipe.js';
import { errorResponse } from '../responses/error.response.js';
import { send } from '../responses/send.js';
import { catalogScope, challengeOf, scopeOf, signInError, type TokenError } from './challenge.js';
import { foreignPageError } from './foreign.page.js';
import { applyLimits, LimitReached } from './rate.limit.js';
import { rightOf, type RouteRight } from './route.rights.js';

/**
 * Decides for every request, in each of its URL shapes, whether whoever sent it may have what it asks for, before anything
 * of it is read or answered, from memory too. Without an access file it only refuses pushes of web pages.
 */
export function accessPlugin(app: INestApplicationContext) {
  return (fastify: FastifyInstance): void => {
    fastify.decorateRequest(signedInField, undefined);
    const access = app.get(AccessService);
    if (!access.isEnabled) {
      // Being able to reach this server may be enough to push.
      fastify.addHook('onRequest', (request, _reply, done) => done(foreignPageError(request)));
      return;
    }
    const guard = new AccessHook(access, app.get(RequesterPipe), app.get(LastOutcomes));
    fastify.addHook('onRequest', (request, reply) => guard.decide(request, reply));
  };
}

/** Who a request is from and under which origin, for the realm of a challenge. */
interface Client {
  readonly address: string;
  readonly origin: string;
  readonly tls: TLSSocket | undefined;
}

/** Seconds after its end for which a token still counts in an upload session: crane and ORAS cannot send a body again. */
const sessionLateness = 60;

class AccessHook {
  constructor(
    private readonly access: AccessService,
    private readonly requesters: RequesterPipe,
    private readonly outcomes: LastOutcomes,
  ) {}

  async decide(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const right = rightOf(request.method, request.routeOptions.url);
    let client: Client | undefined;
    try {
      if (right === undefined) throw new OciError('DENIED');
      if (this.isFree(right, request)) return undefined;
      client = this.access.clientOf(clientRequestOf(request));
      const foreign = foreignPageError(request, client);
      if (foreign) throw foreign;
      const signedIn = await (isOptional(right) ? this.trySignIn(request, client) : this.signIn(request, client));
      identify(request, signedIn);
      const rule = this.assert(right, request, signedIn, client);
      if (rule !== undefined) this.limit(request, reply, signedIn, client);
      if (rule !== undefined) this.note(right, request, client, rule);
      return undefined;
    } catch (error) {
      const response = toOciError(error, request.method);
      this.note(right, request, client, undefined, response.message);
      this.remember(request, response);
      Object.assign(request, { refusal: `${response.code}: ${response.message}` });
      const { status, headers, body } = errorResponse(response);
      const challenge = error instanceof Challenged ? { 'www-authenticate': error.challenge } : {};
      await send(reply, { status, headers: { ...headers, ...challenge }, ...(body !== undefined && { body }) });
      return reply;
    }
  }

  /** Whether nothing has to be known of who sent it. Replicas decide nothing for clients: they have proved the cluster's key. */
  private isFree(right: RouteRight, request: FastifyRequest): boolean {
    // Its guard asks who it is.
    if (right === 'own-guard')
      return authorizationOf(request).length === 0 && !this.access.hasCertificate(clientRequestOf(request).tls);
    if (right === 'public') return request.routeOptions.url !== '/';
    const isPull = typeof right === 'object' && right.right === 'pull';
    return isPull && this.requesters.hasProof(request);
  }

  private async signIn(request: FastifyRequest, client: Client): Promise<SignedIn> {
    const headers = authorizationOf(request);
    try {
      return await this.access.signIn(headers, client, latenessOf(request));
    } catch (error) {
      if (!(error instanceof SignInRefused)) throw error;
      throw this.refusalOf(error, request, client);
    }
  }

  /** Credentials of another kind, as the admin token, are no error where something else may accept them. */
  private async trySignIn(request: FastifyRequest, client: Client): Promise<SignedIn> {
    try {
      return await this.access.signIn(authorizationOf(request), client);
    } catch (error) {
      if (error instanceof SignInRefused) return { identity: anonymous };
      throw error;
    }
  }

  private refusalOf(error: SignInRefused, request: FastifyRequest, client: Client): OciError {
    const refusal = signInError(error);
    if (refusal.code !== 'UNAUTHORIZED') return refusal;
    return this.challenge(refusal.message, client, this.wantedScope(request), 'invalid_token');
  }

  /** For explanations: that somebody known may not pull a manifest. Whoever did not sign in may do so next. */
  private remember({ method, routeOptions, params }: FastifyRequest, error: OciError): void {
    const isPull = method === 'GET' || method === 'HEAD';
    if (!isPull || error.status !== 403 || routeOptions.url !== '/v2/:repository/manifests/:reference') return;
    const { repository, reference } = params as { readonly repository: string; readonly reference: string };
    try {
      this.outcomes.noteDenied(RepositoryRef.parse(repository), parseReference(reference), error);
    } catch (cause) {
      // The reference is not valid, and was not looked at yet.
      if (!(cause instanceof OciError)) throw cause;
    }
  }

  private note(
    right: RouteRight | undefined,
    request: FastifyRequest,
    client = this.access.clientOf(clientRequestOf(request)),
    rule?: number,
    refusal?: string,
  ): void {
    if (!this.access.isAudited) return;
    const { repository, reference, digest, id } = (request.params ?? {}) as Partial<Record<string, string>>;
    const signedIn = signedInOf(request);
    const about = reference ?? digest ?? id;
    this.access.note({
      request: request.id,
      address: client.address,
      ...(signedIn && { signedIn }),
      action: typeof right === 'object' ? right.right : 'sign in',
      ...(repository !== undefined && { repository }),
      ...(about !== undefined && { reference: about }),
      ...(rule !== undefined && { rule: rule - 1 }),
      ...(refusal !== undefined && { refusal }),
    });
  }

  /** @returns the number of the rule that allows it, where one decides. @throws OciError */
  private assert(right: RouteRight, request: FastifyRequest, signedIn: SignedIn, client: Client): number | undefined {
    if (right === 'credentials' || right === 'filtered') {
      if (signedIn.undecided) throw signInError(signedIn.undecided);
      // Docker asks at /v2/ what it needs to sign in with, and never again; ORAS sends credentials only if it is challenged.
      const isNone = readAuthorization(authorizationOf(request)).kind === 'none';
      const scope = right === 'filtered' ? catalogScope : undefined;
      if (isNone && isAnonymous(signedIn.identity)) throw this.challenge(requiredOf(signedIn), client, scope);
    } else if (typeof right === 'object') return this.assertRight(right.right, repositoryOf(request), signedIn, client);
    return undefined;
  }

  private assertRight(right: Right, repository: RepositoryRef, signedIn: SignedIn, client: Client): number {
    const decision = this.access.decide(signedIn, right, repository);
    const counts = this.access.statistics.decisions[right];
    if (decision.isAllowed) {
      counts.allowed += 1;
      return decision.rule;
    }
    counts.denied += 1;
    if (signedIn.undecided) throw signInError(signedIn.undecided);
    const scope = scopeOf(repository.toString(), right);
    const { identity, scopes } = signedIn;
    const isPermitted = this.access.decideByRules(identity, right, repository).isAllowed;
    const isAnonymousToken = isAnonymous(identity) && scopes !== undefined;
    // Its token was issued for less: the client gets one for this.
    if (isPermitted || isAnonymousToken) {
      const message = isAnonymousToken ? `sign in to ${right} ${repository.toString()}` : 'the token is not for this';
      throw this.challenge(message, client, scope, 'insufficient_scope');
    }
    if (isAnonymous(identity)) throw this.challenge(requiredOf(signedIn), client, scope);
    throw new OciError('DENIED', `${identity.subject} may not ${right} ${repository.toString()}`);
  }

  /** @throws LimitReached, or a challenge where signing in may help */
  private limit(request: FastifyRequest, reply: FastifyReply, signedIn: SignedIn, client: Client): void {
    const allotment = this.access.allotmentOf(signedIn, client.address);
    if (!allotment) return;
    try {
      const { method, routeOptions, raw } = request;
      applyLimits(allotment, { method, route: routeOptions.url ?? '', socket: raw.socket }, reply.raw);
    } catch (error) {
      if (!(error instanceof LimitReached)) throw error;
      const { kind, amount } = error;
      // ORAS and regctl send credentials only if they are challenged. Whoever has none comes back with an anonymous token.
      const isUnchallenged = isAnonymous(signedIn.identity) && authorizationOf(request).length === 0;
      if (isUnchallenged && allotment.hasMoreSignedIn(kind))
        throw this.challenge(`the anonymous limit of ${kind} is used up: ${amount}`, client, this.wantedScope(request));
      this.access.statistics.limited[kind] += 1;
      throw error;
    }
  }

  /** The scope that a request with wrong credentials needs. */
  private wantedScope(request: FastifyRequest): Scope | undefined {
    const right = rightOf(request.method, request.routeOptions.url);
    if (typeof right !== 'object') return undefined;
    try {
      return scopeOf(repositoryOf(request).toString(), right.right);
    } catch {
      // Its name is not valid; the challenge comes first.
      return undefined;
    }
  }

  private challenge(message: string, { origin }: Client, scope?: Scope, error?: TokenError): OciError {
    return new Challenged(message, challengeOf(origin, this.access.service, scope, error));
  }
}

/** A certificate that does not count is no error; whoever expects it to count needs to know why. */
function requiredOf({ problem }: SignedIn): string {
  const reason = problem === undefined ? '' : `: the client certificate is not accepted (${problem})`;
  return `authentication required${reason}`;
}

function latenessOf({ routeOptions }: FastifyRequest): number {
  return routeOptions.url?.endsWith('/blobs/uploads/:id') === true ? sessionLateness : 0;
}

/** Whether a request is served to those who did not sign in, too. */
function isOptional(right: RouteRight): boolean {
  return right === 'own-guard' || right === 'page' || right === 'public';
}

/** A refusal that says how to sign in. */
class Challenged extends OciError {
  constructor(
    message: string,
    readonly challenge: string,
  ) {
    super('UNAUTHORIZED', message);
  }
}

function repositoryOf({ params }: FastifyRequest): RepositoryRef {
  return RepositoryRef.parse((params as { repository: string }).repository);
}

function authorizationOf({ raw }: FastifyRequest): readonly string[] {
  // Node joins nothing here and drops all but the first; several are an attack.
  return raw.headersDistinct.authorization ?? [];
}

/** What the access service needs to know of a connection. */
export function clientRequestOf({ raw }: Pick<FastifyRequest, 'raw'>) {
  const { socket, headers } = raw;
  return {
    remoteAddress: socket.remoteAddress,
    tls: 'encrypted' in socket ? (socket as TLSSocket) : undefined,
    headers,
  };
}
