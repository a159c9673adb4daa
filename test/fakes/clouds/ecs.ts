import type { AwsAccount } from './aws-account.js';
import { ScriptedCloud, type CloudReply, type CloudRequestSeen } from './scripted-cloud.js';

/** The agent that gives containers keys: that of ECS without a token, that of EKS Pod Identity with one. */
export class FakeContainerAgent extends ScriptedCloud {
  /** The token that it requires. */
  token: string | undefined;

  constructor(
    private readonly account: AwsAccount,
    /** Only ECS states it. */
    private readonly role?: string,
  ) {
    super();
  }

  protected reply({ method, path, headers }: CloudRequestSeen): CloudReply {
    if (method !== 'GET' || path !== '/v1/credentials') return { status: 404, body: '404 page not found' };
    if (headers.authorization !== this.token)
      return { status: 400, body: 'Service account token failed basic claim validations' };
    const keys = this.account.issue('arn:aws:sts::123456789012:assumed-role/pod-role/eks-session', 6 * 3_600_000);
    const body = {
      ...(this.role !== undefined && { RoleArn: this.role }),
      AccessKeyId: keys.accessKeyId,
      SecretAccessKey: keys.secret,
      Token: keys.token,
      ...(this.role === undefined && { AccountId: '123456789012' }),
      Expiration: keys.expiration,
    };
    return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  }
}
