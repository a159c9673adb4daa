import { generateKeyPairSync } from 'node:crypto';
import { jwtVerify } from 'jose';
import { type CloudReply, planted, type ReceivedRequest, ClockedCloud } from './clocked-cloud.js';

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const error = (status: number, message: string): CloudReply => ({
  status,
  body: { message: `${message} ${planted}`, documentation_url: 'https://docs.github.com/rest', status: String(status) },
});

/** The part of GitHub's API that gives tokens to installations of an app. */
export class GithubCloud extends ClockedCloud {
  readonly app = '12345';
  readonly installation = 678;
  /** Accounts that the app is installed for. */
  readonly installedFor = { orgs: 'acme', users: 'anna' };
  permissions: Record<string, string> = { packages: 'read', metadata: 'read' };
  given = 0;
  /** Seconds for which tokens are valid. */
  lifetime = 3600;

  get lastToken(): string {
    return `ghs_${planted}_${this.given}`;
  }

  /** As GitHub gives it for download. */
  get keyFile(): string {
    return keys.privateKey.export({ format: 'pem', type: 'pkcs1' }).toString();
  }

  protected async reply(request: ReceivedRequest): Promise<CloudReply> {
    const { method, url, headers } = request;
    if (!(await this.#isApp(headers.authorization ?? ''))) return error(401, 'A JSON web token could not be decoded');
    if (headers.accept !== 'application/vnd.github+json' || !headers['user-agent']) return error(415, 'no media type');
    const path = url.pathname.replace(/^\/api\/v3/, '');
    const [, kind = '', owner] = /^\/(orgs|users)\/([^/]+)\/installation$/.exec(path) ?? [];
    if (method === 'GET' && kind !== '') {
      const isInstalled = owner === this.installedFor[kind as 'orgs' | 'users'];
      return isInstalled ? { body: { id: this.installation, app_id: Number(this.app) } } : error(404, 'Not Found');
    }
    const isToken = path === `/app/installations/${this.installation}/access_tokens`;
    return method === 'POST' && isToken ? this.#grant(request) : error(404, 'Not Found');
  }

  #grant({ body }: ReceivedRequest): CloudReply {
    const { permissions } = JSON.parse(body) as { permissions: Record<string, string> };
    const isGranted = Object.entries(permissions).every(([name, right]) => this.permissions[name] === right);
    if (!isGranted) return error(422, 'The permissions requested are not granted to this installation.');
    this.given += 1;
    const expires_at = new Date(this.now + this.lifetime * 1000).toISOString().replace(/\.\d+/, '');
    return { status: 201, body: { token: this.lastToken, expires_at, permissions, repository_selection: 'all' } };
  }

  async #isApp(authorization: string): Promise<boolean> {
    const [scheme, token = ''] = authorization.split(' ');
    try {
      const now = this.now / 1000;
      const { payload } = await jwtVerify(token, keys.publicKey, {
        algorithms: ['RS256'],
        issuer: this.app,
        currentDate: new Date(this.now),
        requiredClaims: ['iat', 'exp'],
      });
      return scheme === 'Bearer' && (payload.iat ?? now + 1) <= now && (payload.exp ?? now + 601) <= now + 600;
    } catch {
      return false;
    }
  }
}
