import { generateKeyPairSync } from 'node:crypto';
import { jwtVerify } from 'jose';
import { AwsAccount } from './aws-account.js';
import { type CloudReply, planted, type ReceivedRequest, ClockedCloud } from './clocked-cloud.js';

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const invalid = (reason: string, status = 400): CloudReply => ({
  status,
  body: { error: 'invalid_grant', error_description: reason },
});

/** The metadata server, the token endpoint, the security token service and the IAM credentials API of Google. */
export class GoogleCloud extends ClockedCloud {
  readonly email = 'mirror@project.iam.gserviceaccount.com';
  readonly audience =
    '//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool/providers/provider';
  /** Tokens that have been given. */
  given = 0;
  /** Seconds for which they are valid. */
  lifetime: unknown = 3599;
  /** The token that a workload has. */
  subject = `${planted}-subject`;

  get lastToken(): string {
    return `ya29.${planted}-${this.given}`;
  }

  /** A key file, as the console gives it. */
  keyFile(changes: Record<string, unknown> = {}): string {
    return JSON.stringify({
      type: 'service_account',
      project_id: 'project',
      private_key_id: '0123abcd',
      private_key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }),
      client_email: this.email,
      client_id: '1',
      auth_uri: 'https://accounts.google.com/o/oauth2/auth',
      token_uri: `${this.url}/token`,
      universe_domain: 'googleapis.com',
      ...changes,
    });
  }

  userFile(changes: Record<string, unknown> = {}): string {
    return JSON.stringify({
      type: 'authorized_user',
      account: 'anna@example.com',
      client_id: 'client.apps.googleusercontent.com',
      client_secret: `${planted}-client`,
      refresh_token: `1//${planted}`,
      token_uri: `${this.url}/token`,
      ...changes,
    });
  }

  /** A file of workload identity federation, as `gcloud iam workload-identity-pools create-cred-config` writes it. */
  federationFile(source: object, changes: Record<string, unknown> = {}): string {
    return JSON.stringify({
      type: 'external_account',
      audience: this.audience,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${this.url}/v1/token`,
      service_account_impersonation_url: `${this.url}/v1/projects/-/serviceAccounts/${this.email}:generateAccessToken`,
      credential_source: source,
      ...changes,
    });
  }

  /** The AWS account that the provider trusts. */
  readonly aws = new AwsAccount();

  protected reply(request: ReceivedRequest): CloudReply | Promise<CloudReply> {
    const { method, url } = request;
    const { pathname: path } = url;
    if (path.startsWith('/computeMetadata/')) return this.#metadata(request);
    if (method === 'GET' && path === '/subject') return this.#subject(request);
    if (method !== 'POST') return { status: 405, body: '' };
    if (path === '/token') return this.#token(request);
    if (path === '/v1/token') return this.#exchange(request);
    if (path === `/v1/projects/-/serviceAccounts/${this.email}:generateAccessToken`) return this.#impersonate(request);
    return { status: 404, body: '' };
  }

  #grant(): CloudReply {
    this.given += 1;
    return { body: { access_token: this.lastToken, expires_in: this.lifetime, token_type: 'Bearer' } };
  }

  #metadata({ method, url, headers }: ReceivedRequest): CloudReply {
    const flavor = { 'metadata-flavor': 'Google', server: 'Metadata Server for VM' };
    if (method !== 'GET' || headers['metadata-flavor'] !== 'Google') return { status: 403, headers: flavor, body: '' };
    const [, account, what] =
      /^\/computeMetadata\/v1\/instance\/service-accounts\/([^/]+)\/(token|email)$/.exec(url.pathname) ?? [];
    if (account !== 'default' && account !== this.email) return { status: 404, headers: flavor, body: 'Not Found' };
    if (what === 'email') return { headers: flavor, body: `${this.email}\n` };
    return { ...this.#grant(), headers: flavor };
  }

  async #token({ headers, body }: ReceivedRequest): Promise<CloudReply> {
    const form = new URLSearchParams(body);
    if (headers['content-type'] !== 'application/x-www-form-urlencoded') return invalid('no form');
    if (form.get('grant_type') === 'refresh_token') {
      const isRight =
        form.get('client_id') === 'client.apps.googleusercontent.com' &&
        form.get('client_secret') === `${planted}-client` &&
        form.get('refresh_token') === `1//${planted}`;
      return isRight ? this.#grant() : invalid('Token has been expired or revoked.');
    }
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return invalid('another grant');
    try {
      const { payload, protectedHeader } = await jwtVerify(form.get('assertion') ?? '', keys.publicKey, {
        algorithms: ['RS256'],
        issuer: this.email,
        audience: `${this.url}/token`,
        currentDate: new Date(this.now),
        requiredClaims: ['iat', 'exp', 'scope'],
        maxTokenAge: 3600,
        clockTolerance: 30,
      });
      const isShort = (payload.exp ?? 0) - (payload.iat ?? 0) <= 3600;
      return isShort && protectedHeader.kid === '0123abcd' ? this.#grant() : invalid('Invalid JWT');
    } catch {
      return invalid('Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.');
    }
  }

  #exchange({ body }: ReceivedRequest): CloudReply {
    const { scope, ...form } = Object.fromEntries(new URLSearchParams(body));
    if (form.subject_token_type === 'urn:ietf:params:aws:token-type:aws4_request') {
      return this.#isAws(form.subject_token ?? '') ? this.#grant() : invalid('GetCallerIdentity failed');
    }
    const wanted = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: this.audience,
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token: this.subject,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    };
    if (scope === undefined || JSON.stringify(form) !== JSON.stringify(wanted))
      return invalid('The given credential is rejected by the attribute condition.');
    return this.#grant();
  }

  /** As AWS sees the request that the token is. */
  #isAws(token: string): boolean {
    const { url, method, headers } = JSON.parse(decodeURIComponent(token)) as {
      url: string;
      method: string;
      headers: { key: string; value: string }[];
    };
    const sent = Object.fromEntries(headers.map(({ key, value }) => [key.toLowerCase(), value]));
    const path = url.replace(/^https:\/\/sts\.eu-central-1\.amazonaws\.com/, '/');
    const isRight =
      path === '/?Action=GetCallerIdentity&Version=2011-06-15' &&
      method === 'POST' &&
      sent['x-goog-cloud-target-resource'] === this.audience &&
      sent.host === 'sts.eu-central-1.amazonaws.com';
    const found = this.aws.verify({ method, path, headers: sent, body: '' }, 'sts', 'eu-central-1');
    return isRight && typeof found === 'object';
  }

  #impersonate({ headers, body }: ReceivedRequest): CloudReply {
    const { scope, lifetime } = JSON.parse(body) as { scope?: unknown; lifetime?: unknown };
    const isRight =
      headers.authorization === `Bearer ${this.lastToken}` && Array.isArray(scope) && lifetime === '3600s';
    if (!isRight) return { status: 403, body: { error: { code: 403, message: planted, status: 'PERMISSION_DENIED' } } };
    this.given += 1;
    const expireTime = new Date(this.now + 3_600_000).toISOString();
    return { body: { accessToken: this.lastToken, expireTime } };
  }

  #subject({ headers }: ReceivedRequest): CloudReply {
    if (headers['x-workload'] !== planted) return { status: 401, body: '' };
    return { body: { access_token: this.subject, expires_on: '1' } };
  }
}
