import { Secret } from '../../../src/config/values/secret.js';
import { sign } from '../../../src/upstream/credentials/aws/signature.js';
import type { CloudRequestSeen } from './scripted-cloud.js';

/** Keys that an account knows. */
export interface AccountKeys {
  readonly secret: string;
  readonly token?: string;
  readonly arn: string;
}

/** Why a signed request is refused: an error code of AWS. */
export type Refusal = 'MissingAuthenticationToken' | 'UnknownKeys' | 'WrongSignature' | 'ExpiredSignature';

const maxSkew = 300_000;

/** The keys of an AWS account, shared by its services. */
export class AwsAccount {
  readonly keys = new Map<string, AccountKeys>([
    ['AKIAIOSFODNN7EXAMPLE', { secret: 'planted-secret-key/of+a/user', arn: 'arn:aws:iam::123456789012:user/mirror' }],
  ]);
  /** ARNs that nothing is allowed for. */
  readonly denied = new Set<string>();
  private issued = 0;

  /** Keys of a role, as STS and the metadata services give them. */
  issue(arn: string, lifetime = 3_600_000) {
    this.issued += 1;
    const accessKeyId = `ASIA${String(this.issued).padStart(16, '0')}`;
    const secret = `planted-secret-key/of/role/${this.issued}`;
    const token = `planted-session-token/${this.issued}${'x'.repeat(200)}==`;
    this.keys.set(accessKeyId, { secret, token, arn });
    return {
      accessKeyId,
      secret,
      token,
      expiration: new Date(Date.now() + lifetime).toISOString().replace(/\.\d+/, ''),
    };
  }

  /** Whose request it is, or why it is refused: the signature is made again of what arrived. */
  verify({ method, path, headers, body }: CloudRequestSeen, service: string, region: string): AccountKeys | Refusal {
    const { authorization = '', host = '', 'x-amz-date': stamp } = headers;
    const parsed = /Credential=(\w+)\/\d{8}\/([\w-]+)\/([\w-]+)\/aws4_request, SignedHeaders=([\w;-]+), /.exec(
      authorization,
    );
    const [, accessKeyId = '', signedRegion, signedService, names = ''] = parsed ?? [];
    if (!parsed || typeof stamp !== 'string') return 'MissingAuthenticationToken';
    const known = this.keys.get(accessKeyId);
    if (!known || known.token !== headers['x-amz-security-token']) return 'UnknownKeys';
    const now = Date.parse(stamp.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
    if (Math.abs(now - Date.now()) > maxSkew) return 'ExpiredSignature';
    const own = new Set(['host', 'x-amz-date', 'x-amz-security-token']);
    const signed = names.split(';').filter((name) => !own.has(name));
    const again = sign(
      {
        method,
        url: new URL(path, `http://${host}`),
        headers: Object.fromEntries(signed.map((name) => [name, String(headers[name])])),
        body,
      },
      {
        accessKeyId,
        secretAccessKey: new Secret(known.secret),
        ...(known.token !== undefined && { sessionToken: new Secret(known.token) }),
        identity: '',
      },
      { region, service, now },
    );
    const isRight = signedRegion === region && signedService === service && again.authorization === authorization;
    return isRight ? known : 'WrongSignature';
  }
}
