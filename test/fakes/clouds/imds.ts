import type { AwsAccount } from './aws-account.js';
import { ScriptedCloud, type CloudReply, type CloudRequestSeen } from './scripted-cloud.js';

const path = '/latest/meta-data/iam/security-credentials/';

/** The metadata service of an EC2 instance that requires sessions (IMDSv2). */
export class FakeImds extends ScriptedCloud {
  /** The role of the instance, if it has one. */
  role: string | undefined = 'node-role';
  private readonly sessions = new Set<string>();

  constructor(private readonly account: AwsAccount) {
    super();
  }

  protected reply({ method, path: wanted, headers }: CloudRequestSeen): CloudReply {
    if (wanted === '/latest/api/token') {
      const ttl = Number(headers['x-aws-ec2-metadata-token-ttl-seconds']);
      if (method !== 'PUT') return { status: 405 };
      if (!(ttl >= 1 && ttl <= 21_600)) return { status: 400 };
      const session = `planted-imds-session-${this.sessions.size}==`;
      this.sessions.add(session);
      return { headers: { 'x-aws-ec2-metadata-token-ttl-seconds': String(ttl) }, body: session };
    }
    if (!this.sessions.has(String(headers['x-aws-ec2-metadata-token']))) return { status: 401 };
    const { role } = this;
    if (role === undefined) return { status: 404, body: '<html>404 - Not Found</html>' };
    if (wanted === path) return { headers: { 'content-type': 'text/plain' }, body: role };
    if (wanted !== path + role) return { status: 404 };
    const keys = this.account.issue(
      `arn:aws:sts::123456789012:assumed-role/${role}/i-0123456789abcdef0`,
      6 * 3_600_000,
    );
    const body = {
      Code: 'Success',
      LastUpdated: new Date().toISOString().replace(/\.\d+/, ''),
      Type: 'AWS-HMAC',
      AccessKeyId: keys.accessKeyId,
      SecretAccessKey: keys.secret,
      Token: keys.token,
      Expiration: keys.expiration,
    };
    return { headers: { 'content-type': 'text/plain' }, body: JSON.stringify(body, undefined, 2) };
  }
}
