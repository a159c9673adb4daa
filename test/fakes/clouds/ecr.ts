import type { AwsAccount, Refusal } from './aws-account.js';
import { ScriptedCloud, type CloudReply, type CloudRequestSeen } from './scripted-cloud.js';

const errors: Readonly<Record<Refusal, readonly [string, string]>> = {
  MissingAuthenticationToken: ['MissingAuthenticationTokenException', 'Missing Authentication Token'],
  UnknownKeys: ['UnrecognizedClientException', 'The security token included in the request is invalid.'],
  WrongSignature: [
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
  ],
  ExpiredSignature: [
    'InvalidSignatureException',
    'Signature expired: 20170111T204052Z is now earlier than 20170111T225449Z (20170111T230949Z - 15 min.)',
  ],
};

/** The API of ECR, or of ECR Public. */
export class FakeEcr extends ScriptedCloud {
  password = 'planted-ecr-password';
  /** Milliseconds. */
  lifetime = 12 * 3_600_000;
  /** As ECR sends it: seconds, or text. */
  expiresAt: ((time: number) => unknown) | undefined;

  constructor(
    private readonly account: AwsAccount,
    private readonly region = 'eu-central-1',
    private readonly isPublic = false,
  ) {
    super();
  }

  protected reply(request: CloudRequestSeen): CloudReply {
    const target = this.isPublic ? 'SpencerFrontendService' : 'AmazonEC2ContainerRegistry_V20150921';
    if (request.method !== 'POST' || request.headers['x-amz-target'] !== `${target}.GetAuthorizationToken`)
      return json(400, { __type: 'UnknownOperationException' });
    if (request.headers['content-type'] !== 'application/x-amz-json-1.1')
      return { status: 404, body: '<UnknownOperationException/>\n' };
    const caller = this.account.verify(request, this.isPublic ? 'ecr-public' : 'ecr', this.region);
    if (typeof caller === 'string') {
      const [type, message] = errors[caller];
      return json(400, { __type: type, message });
    }
    if (this.account.denied.has(caller.arn)) {
      const action = this.isPublic ? 'ecr-public:GetAuthorizationToken' : 'ecr:GetAuthorizationToken';
      const Message = `User: ${caller.arn} is not authorized to perform: ${action} on resource: * because no identity-based policy allows the ${action} action`;
      return json(400, { __type: 'AccessDeniedException', Message });
    }
    return json(200, { authorizationData: this.data(request.body) });
  }

  private data(body: string): unknown {
    const time = Date.now() + this.lifetime;
    const authorizationToken = Buffer.from(`AWS:${this.password}`).toString('base64');
    const expiresAt = this.expiresAt ? this.expiresAt(time) : time / 1000;
    if (this.isPublic) return { authorizationToken, expiresAt };
    const [id = '123456789012'] = (JSON.parse(body) as { registryIds?: string[] }).registryIds ?? [];
    const proxyEndpoint = `https://${id}.dkr.ecr.${this.region}.amazonaws.com`;
    return [{ authorizationToken, expiresAt, proxyEndpoint }];
  }
}

function json(status: number, body: unknown): CloudReply {
  return { status, headers: { 'content-type': 'application/x-amz-json-1.1' }, body: JSON.stringify(body) };
}
