import type { AwsAccount, Refusal } from './aws-account.js';
import { ScriptedCloud, type CloudReply, type CloudRequestSeen } from './scripted-cloud.js';

const errors: Readonly<Record<Refusal, readonly [number, string, string]>> = {
  MissingAuthenticationToken: [403, 'MissingAuthenticationToken', 'Request is missing Authentication Token'],
  UnknownKeys: [403, 'InvalidClientTokenId', 'The security token included in the request is invalid.'],
  WrongSignature: [403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match the signature.'],
  ExpiredSignature: [
    403,
    'SignatureDoesNotMatch',
    'Signature expired: 20170111T204052Z is now earlier than 20170111T225449Z',
  ],
};

/** STS: roles for keys, and for tokens of an OIDC issuer. */
export class FakeSts extends ScriptedCloud {
  /** Tokens of service accounts that are accepted now. */
  readonly tokens = new Set(['planted-web-identity-token']);
  readonly expiredTokens = new Set<string>();
  /** What a role's trust policy requires, by its ARN. */
  readonly externalIds = new Map<string, string>();

  constructor(
    private readonly account: AwsAccount,
    private readonly region = 'eu-central-1',
  ) {
    super();
  }

  protected reply(request: CloudRequestSeen): CloudReply {
    const form = new URLSearchParams(request.body);
    const get = (name: string) => form.get(name) ?? '';
    const isForm = String(request.headers['content-type']).startsWith('application/x-www-form-urlencoded');
    if (request.method !== 'POST' || !isForm || get('Version') !== '2011-06-15')
      return error(400, 'InvalidAction', 'Could not find operation');
    const arn = get('RoleArn');
    if (get('Action') === 'AssumeRoleWithWebIdentity') {
      const token = get('WebIdentityToken');
      if (request.headers.authorization !== undefined) return error(400, 'InvalidAction', 'unexpected signature');
      if (this.expiredTokens.has(token)) return error(400, 'ExpiredTokenException', 'Token expired: current date/time');
      if (!this.tokens.has(token)) return error(400, 'InvalidIdentityToken', 'No OpenIDConnect provider found');
      if (this.account.denied.has(arn))
        return error(403, 'AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
      return this.credentials('AssumeRoleWithWebIdentity', arn, get('RoleSessionName'));
    }
    const caller = this.account.verify(request, 'sts', this.region);
    if (typeof caller === 'string') return error(...errors[caller]);
    const isDenied =
      this.account.denied.has(arn) || this.externalIds.get(arn) !== (form.get('ExternalId') ?? undefined);
    if (isDenied)
      return error(
        403,
        'AccessDenied',
        `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${arn}`,
      );
    return this.credentials('AssumeRole', arn, get('RoleSessionName'));
  }

  private credentials(action: string, arn: string, session: string): CloudReply {
    const [, , , , account, role = ''] = arn.split(':');
    const user = `arn:aws:sts::${account}:assumed-role/${role.replace(/^role\//, '')}/${session}`;
    const keys = this.account.issue(user);
    return {
      headers: { 'content-type': 'text/xml' },
      body: `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <${action}Result>
    <AssumedRoleUser>
      <AssumedRoleId>AROACLKWSDQRAOEXAMPLE:${session}</AssumedRoleId>
      <Arn>${user}</Arn>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>${keys.accessKeyId}</AccessKeyId>
      <SecretAccessKey>${keys.secret}</SecretAccessKey>
      <SessionToken>${keys.token}</SessionToken>
      <Expiration>${keys.expiration}</Expiration>
    </Credentials>
  </${action}Result>
  <ResponseMetadata>
    <RequestId>ad4156e9-bce1-11e2-82e6-6b6efEXAMPLE</RequestId>
  </ResponseMetadata>
</${action}Response>
`,
    };
  }
}

function error(status: number, code: string, message: string): CloudReply {
  return {
    status,
    headers: { 'content-type': 'text/xml' },
    body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>${code}</Code>
    <Message>${message}</Message>
  </Error>
  <RequestId>4d4b7c3e-0000-11e6-96f8-cd7ef9c7ee1c</RequestId>
</ErrorResponse>
`,
  };
}
