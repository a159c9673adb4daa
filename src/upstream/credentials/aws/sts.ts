import { CredentialError } from '../credential.source.js';
import { callAws } from './aws.call.js';
import { toKeys, type AwsContext, type AwsKeys } from './keys/aws.keys.js';
import { readXml } from './xml.js';

/** A role to assume at an endpoint of STS. */
export interface Role {
  readonly arn: string;
  readonly sessionName: string;
  readonly externalId?: string | undefined;
  readonly sts: { readonly url: URL; readonly region: string };
}

const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
const version = { Version: '2011-06-15' };

/** Keys of a role for other keys. @throws CredentialError */
export async function assumeRole(
  role: Role,
  keys: AwsKeys,
  context: AwsContext,
  signal: AbortSignal,
): Promise<AwsKeys> {
  const { arn, sessionName, externalId, sts } = role;
  const fields = {
    Action: 'AssumeRole',
    ...version,
    RoleArn: arn,
    RoleSessionName: sessionName,
    ...(externalId !== undefined && { ExternalId: externalId }),
  };
  const because = externalId === undefined ? '' : ' with this external id';
  const call = {
    name: 'STS',
    operation: `AssumeRole of ${arn}`,
    url: sts.url,
    headers: form,
    body: new URLSearchParams(fields).toString(),
    signing: { keys, region: sts.region, service: 'sts' },
    caller: keys.identity,
    whenDenied: `allow it sts:AssumeRole on the role, and it in the trust policy of the role${because}`,
  };
  const text = await callAws(call, context, signal);
  return readKeys(text, 'AssumeRole', `${keys.identity}, then role_arn`, context);
}

/** A token of an OIDC issuer for a role. */
export interface WebIdentity {
  readonly token: string;
  /** Path of the file of the token, for messages. */
  readonly file: string;
}

/** Keys of a role for a token of an OIDC issuer. The call is not signed. @throws CredentialError */
export async function assumeRoleWithWebIdentity(
  { arn, sessionName, sts }: Role,
  { token, file }: WebIdentity,
  context: AwsContext,
  signal: AbortSignal,
): Promise<AwsKeys> {
  const fields = {
    Action: 'AssumeRoleWithWebIdentity',
    ...version,
    RoleArn: arn,
    RoleSessionName: sessionName,
    WebIdentityToken: token,
  };
  const call = {
    name: 'STS',
    operation: `AssumeRoleWithWebIdentity of ${arn}`,
    url: sts.url,
    headers: form,
    body: new URLSearchParams(fields).toString(),
    caller: `the token in ${file}`,
    whenDenied:
      "allow its issuer, its subject (system:serviceaccount:NAMESPACE:NAME) and its audience sts:AssumeRoleWithWebIdentity in the role's trust policy",
  };
  const text = await callAws(call, context, signal);
  return readKeys(text, 'AssumeRoleWithWebIdentity', `web identity token ${file}`, context);
}

function readKeys(text: string, action: string, source: string, { clock }: AwsContext): AwsKeys {
  const found = readXml(text);
  const result = `${action}Response/${action}Result`;
  const get = (path: string) => found?.get(`${result}/${path}`);
  const user = get('AssumedRoleUser/Arn');
  // No token and no key looks like this.
  if (!found || user === undefined || !/^arn:[a-z-]+:sts::\d{12}:assumed-role\/[\w+=,.@/-]{1,600}$/.test(user))
    throw new CredentialError(`STS responded to ${action} with something else: check the endpoint`);
  const texts = {
    accessKeyId: get('Credentials/AccessKeyId'),
    secretAccessKey: get('Credentials/SecretAccessKey'),
    sessionToken: get('Credentials/SessionToken'),
    expiration: get('Credentials/Expiration') ?? '',
  };
  return toKeys(texts, `${user} (${source})`, `STS's response to ${action}`, clock.now());
}
