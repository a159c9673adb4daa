import { Controller, Get, NotFoundException, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AccessService } from '../../access/access.service.js';
import { SignInRefused, type GrantedScope, type SignedIn } from '../../access/sign-in.js';
import { formatScope, parseScopes, type Scope } from '../../access/tokens/scope.js';
import { rights, type Right } from '../../config/access/rule.settings.js';
import { OciError } from '../../oci/error.js';
import { RepositoryRef } from '../../oci/repository.js';
import { repositoryBeside, type NamespaceRules } from '../request-target.js';
import { commonHeaders } from '../responses/http.response.js';
import { send } from '../responses/send.js';
import { clientRequestOf } from './access.plugin.js';
import { signInError } from './challenge.js';
import { readTokenForm, readTokenQuery, type TokenRequest } from './token.parameters.js';

/** The token endpoint, by GET (Docker token specification) and POST (Docker OAuth 2 specification). */
@Controller('token')
export class TokenController {
  constructor(private readonly access: AccessService) {}

  @Get()
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.respond(request, reply, readTokenQuery(request), request.raw.headersDistinct.authorization ?? []);
  }

  @Post()
  async post(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const form = await readTokenForm(request);
    const { username, password } = form.credentials ?? { username: '', password: '' };
    const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    await this.respond(request, reply, form, [basic]);
  }

  private async respond(
    request: FastifyRequest,
    reply: FastifyReply,
    { scopes }: TokenRequest,
    authorization: readonly string[],
  ): Promise<void> {
    if (!this.access.isEnabled) throw new NotFoundException();
    const { token, expiresIn, scopes: issued } = await this.issue(request, scopes, authorization);
    // Watchtower reads `token`, OAuth clients `access_token`. Without issued_at clients count from their own clock.
    const body = JSON.stringify({
      token,
      access_token: token,
      expires_in: expiresIn,
      scope: issued.map(formatScope).join(' '),
    });
    await send(reply, {
      status: 200,
      headers: {
        ...commonHeaders,
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'content-length': Buffer.byteLength(body),
      },
      body,
    });
  }

  /** A refusal is in the audit log, as those elsewhere; the rules decide when the token is used. */
  private async issue(request: FastifyRequest, scopes: readonly string[], authorization: readonly string[]) {
    const client = this.access.clientOf(clientRequestOf(request));
    try {
      const signedIn = await this.access.signIn(authorization, client);
      // A token of this server would get one for more than its own scopes, and never expire.
      if (signedIn.scopes !== undefined) throw new SignInRefused('credentials');
      const wanted = parseScopes(scopes);
      const granted = wanted.flatMap((scope) => this.grant(request, signedIn, scope));
      if (signedIn.undecided && !isAll(granted, wanted)) throw signedIn.undecided;
      return await this.access.issue(signedIn, granted);
    } catch (error) {
      if (!(error instanceof SignInRefused)) throw error;
      const refusal = signInError(error);
      this.access.note({ request: request.id, address: client.address, action: 'sign in', refusal: refusal.message });
      throw refusal;
    }
  }

  /** What the client may have of a scope; its name as this server has it. Rights that are missing are no error. */
  private grant(request: FastifyRequest, { identity }: SignedIn, { type, name, actions }: Scope): GrantedScope[] {
    if (type === 'registry' && name === 'catalog') return [{ type, name, actions }];
    const repository = type === 'repository' ? findRepository(request, name) : undefined;
    if (!repository) return [];
    const wanted = actions.includes('*') ? rights : rights.filter((right) => actions.includes(right));
    const granted = wanted.filter((right: Right) => this.access.decideByRules(identity, right, repository).isAllowed);
    return granted.length === 0 ? [] : [{ type, name: repository.toString(), actions: granted }];
  }
}

/** Whether a token is for something, and for everything that was wanted. */
function isAll(granted: readonly GrantedScope[], wanted: readonly Scope[]): boolean {
  const has = ({ type, actions }: Scope, index: number) =>
    type === 'repository' && actions.every((action) => granted[index]?.actions.includes(action));
  return wanted.length > 0 && granted.length === wanted.length && wanted.every(has);
}

/** As in a request for it under this Host. */
function findRepository(request: FastifyRequest, name: string): RepositoryRef | undefined {
  const rules = request.server.getDecorator<NamespaceRules>('namespaceRules');
  try {
    return RepositoryRef.parse(repositoryBeside(name, '/v2/', rules, request.headers.host));
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
