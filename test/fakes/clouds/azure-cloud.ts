import { type CloudReply, planted, type ReceivedRequest, ClockedCloud } from './clocked-cloud.js';

const resource = 'https://containerregistry.azure.net';
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** Microsoft Entra, the instance metadata service and the token exchange of a registry. */
export class AzureCloud extends ClockedCloud {
  readonly tenant = '409520d4-8100-4d1d-ad47-72432ddcc120';
  readonly client = '11111111-2222-3333-4444-555555555555';
  readonly resourceId =
    '/subscriptions/1/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mirror';
  readonly secret = `${planted}~secret`;
  /** The token of the workload's service account. */
  assertion = `${planted}.assertion.1`;
  /** Whether the machine has an identity of its own. */
  hasSystemIdentity = true;
  given = 0;
  /** Claims of the refresh tokens, in seconds from now. */
  claims: Record<string, unknown> | undefined;

  get lastToken(): string {
    return `${planted}-entra-${this.given}`;
  }

  refreshToken(): string {
    const now = Math.floor(this.now / 1000);
    const claims = this.claims ?? {
      iat: now,
      nbf: now,
      exp: now + 10_800,
      aud: this.host,
      grant_type: 'refresh_token',
    };
    return `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ jti: this.given, ...claims })}.${planted}`;
  }

  protected reply(request: ReceivedRequest): CloudReply {
    const { method, url } = request;
    if (method === 'GET' && url.pathname === '/metadata/identity/oauth2/token') return this.#managed(request);
    if (method !== 'POST') return { status: 404, body: '' };
    if (request.headers['content-type'] !== 'application/x-www-form-urlencoded') return { status: 400, body: '' };
    if (url.pathname === `/${this.tenant}/oauth2/v2.0/token`) return this.#token(request);
    if (url.pathname === '/oauth2/exchange') return this.#exchange(request);
    return this.#refuse('invalid_request', 90_002);
  }

  #refuse(error: string, number: number, status = 400): CloudReply {
    const error_description = `AADSTS${number}: ${planted} Trace ID: 1 Correlation ID: 2`;
    return { status, body: { error, error_description, error_codes: [number], timestamp: '', trace_id: '1' } };
  }

  #managed({ url, headers }: ReceivedRequest): CloudReply {
    const { searchParams: query } = url;
    const error = (error_description: string): CloudReply => ({
      status: 400,
      body: { error: 'invalid_request', error_description },
    });
    if (headers.metadata !== 'true' || headers['x-forwarded-for'] !== undefined)
      return error('Required metadata header');
    if (query.get('api-version') !== '2018-02-01' || query.get('resource') !== resource)
      return error('Invalid resource');
    const [client, id] = [query.get('client_id'), query.get('msi_res_id')];
    const isKnown =
      client === null && id === null ? this.hasSystemIdentity : client === this.client || id === this.resourceId;
    if (!isKnown) return error('Identity not found');
    this.given += 1;
    const times = { expires_in: '86399', expires_on: '1', not_before: '1' };
    return { body: { access_token: this.lastToken, ...times, resource, token_type: 'Bearer', client_id: this.client } };
  }

  #token({ body }: ReceivedRequest): CloudReply {
    const {
      client_secret: secret,
      client_assertion: assertion,
      ...form
    } = Object.fromEntries(new URLSearchParams(body));
    const { grant_type: grant, client_id: client, scope, client_assertion_type: type } = form;
    if (grant !== 'client_credentials' || scope !== `${resource}/.default`)
      return this.#refuse('invalid_scope', 70_011);
    if (client !== this.client) return this.#refuse('unauthorized_client', 700_016);
    if (secret !== undefined && secret !== this.secret) return this.#refuse('invalid_client', 7_000_215, 401);
    const isJwt = type === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    if (secret === undefined && (!isJwt || assertion !== this.assertion))
      return this.#refuse('invalid_client', 700_024, 401);
    this.given += 1;
    return { body: { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: this.lastToken } };
  }

  #exchange({ body }: ReceivedRequest): CloudReply {
    const form = new URLSearchParams(body);
    const isRight =
      form.get('grant_type') === 'access_token' &&
      form.get('service') === this.host &&
      [null, this.tenant].includes(form.get('tenant')) &&
      form.get('access_token') === this.lastToken;
    if (isRight) return { body: { refresh_token: this.refreshToken() } };
    return { status: 401, body: { errors: [{ code: 'UNAUTHORIZED', message: `authentication required ${planted}` }] } };
  }
}
