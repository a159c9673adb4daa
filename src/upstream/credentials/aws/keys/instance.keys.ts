import type { Environment } from '../../../../config/aws/environment.js';
import { CloudError, type CloudRequest, type CloudResponse } from '../../cloud.client.js';
import { CredentialError } from '../../credential.source.js';
import { toKeys, variable, type AwsContext, type AwsKeys } from './aws.keys.js';
import { readKeyDocument } from './key.document.js';

/** Milliseconds for one response. Outside EC2 nothing responds, and requests wait. */
const deadline = 3_000;
/** Seconds for which the session token is valid: for the two requests after it. */
const sessionSeconds = '60';
const rolePath = '/latest/meta-data/iam/security-credentials/';
const hopLimit =
  'in a container, the hop limit of the instance must be 2 (aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2)';

/**
 * Keys of the role of an EC2 instance, by version 2 of its metadata service; undefined when AWS_EC2_METADATA_DISABLED.
 * @throws CredentialError
 */
export async function instanceKeys(context: AwsContext, signal: AbortSignal): Promise<AwsKeys | undefined> {
  const { env, clock } = context;
  if ((variable(env, 'AWS_EC2_METADATA_DISABLED') ?? 'false').toLowerCase() !== 'false') return undefined;
  const service = new MetadataService(context, signal);
  const token = await service.startSession();
  const role = await service.role(token);
  const source = `the instance metadata service at ${service.host}`;
  const keys = readKeyDocument(await service.get(rolePath + role, token), source);
  if (keys.code !== undefined && keys.code !== 'Success') {
    const code = (typeof keys.code === 'string' && /^[A-Za-z]{1,64}$/.exec(keys.code)?.[0]) || 'an error';
    throw new CredentialError(
      `${source} has no keys for the role ${role} (${code}): check the trust policy of the role`,
    );
  }
  return toKeys(keys, `role ${role} (instance metadata)`, source, clock.now());
}

class MetadataService {
  private readonly base: URL;

  constructor(
    private readonly context: AwsContext,
    private readonly signal: AbortSignal,
  ) {
    this.base = serviceUrl(context.env);
  }

  get host(): string {
    return this.base.host;
  }

  async startSession(): Promise<string> {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': sessionSeconds };
    const { status, text } = await this.send('PUT', '/latest/api/token', headers);
    if (status === 403)
      throw this.error('is disabled for this instance (403): enable it, or give AWS keys another way');
    if (status !== 200) throw this.error(`responded with ${status} to the request for a session token`);
    if (!/^[\x21-\x7e]{1,1024}$/.test(text)) throw this.error('sends no session token');
    return text;
  }

  /** The name of the instance's role. */
  async role(token: string): Promise<string> {
    const role = (await this.get(rolePath, token)).trim();
    if (!/^[\w+=,.@-]{1,64}$/.test(role)) throw this.error('names no role');
    return role;
  }

  async get(path: string, token: string): Promise<string> {
    const { status, text } = await this.send('GET', path, { 'x-aws-ec2-metadata-token': token });
    if (status === 200) return text;
    if (status === 404) throw this.error('has no role: attach an instance profile to the instance');
    throw this.error(`responded with ${status}`);
  }

  private async send(
    method: CloudRequest['method'],
    path: string,
    headers: Record<string, string>,
  ): Promise<CloudResponse> {
    const url = new URL(path, this.base);
    const { client } = this.context;
    try {
      return await client.send({ method, url, headers, signal: this.signal, deadline, isMetadata: true });
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      // The response to PUT ends at the first hop, unless the instance allows more.
      if (error.isTimeout && method === 'PUT') throw this.error(`did not respond: ${hopLimit}`);
      throw new CredentialError(`the instance metadata service: ${error.message}`);
    }
  }

  private error(text: string): CredentialError {
    return new CredentialError(`the instance metadata service at ${this.host} ${text}`);
  }
}

function serviceUrl(env: Environment): URL {
  const given = variable(env, 'AWS_EC2_METADATA_SERVICE_ENDPOINT');
  const isIPv6 = variable(env, 'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE')?.toLowerCase() === 'ipv6';
  const url = given ?? (isIPv6 ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254');
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL(url);
  throw new CredentialError('AWS_EC2_METADATA_SERVICE_ENDPOINT must be an http URL');
}
