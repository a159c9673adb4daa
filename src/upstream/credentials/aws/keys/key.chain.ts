import { readSecretFile } from '../../clouds/cloud.files.js';
import { CredentialError } from '../../credential.source.js';
import { shortId, toKeys, variable, type AwsContext, type AwsKeys } from './aws.keys.js';
import { containerKeys } from './container.keys.js';
import { instanceKeys } from './instance.keys.js';
import { profileKeys } from './profile.keys.js';
import { assumeRoleWithWebIdentity, type Role } from '../sts.js';

/**
 * Finds the keys in the order of the SDK for JavaScript, which the S3 provider uses: the variables (unless a profile is
 * named), the profile, a web identity, the agent of a container, the instance. A source that is configured and fails ends
 * the search: other keys would be another identity.
 */
export class KeyChain {
  /**
   * @param sts the endpoint of STS; the argument is the region of a profile.
   * @param profile that of the settings
   */
  constructor(
    readonly context: AwsContext,
    readonly sts: (region?: string) => Role['sts'],
    private readonly profile?: string,
  ) {}

  get sessionName(): string {
    return variable(this.context.env, 'AWS_ROLE_SESSION_NAME') ?? 'oci-registry';
  }

  /** @throws CredentialError */
  async find(signal: AbortSignal): Promise<AwsKeys> {
    const profile = this.profile ?? variable(this.context.env, 'AWS_PROFILE');
    return (
      (profile === undefined ? this.environmentKeys() : undefined) ??
      (await this.profileKeys(profile, signal)) ??
      (await this.webIdentityKeys(signal)) ??
      (await containerKeys(this.context, signal)) ??
      (await this.lastKeys(signal))
    );
  }

  /** Keys of a `credential_source` of a profile. @throws CredentialError */
  async named(source: string | undefined, profile: string, signal: AbortSignal): Promise<AwsKeys> {
    const found = await this.findNamed(source, signal);
    if (found) return found;
    throw new CredentialError(
      `the credential_source of the profile ${profile} gives no keys: it must be Environment, EcsContainer or Ec2InstanceMetadata`,
    );
  }

  private findNamed(source: string | undefined, signal: AbortSignal): Promise<AwsKeys | undefined> {
    switch (source) {
      case 'Environment':
        return Promise.resolve(this.environmentKeys());
      case 'EcsContainer':
        return containerKeys(this.context, signal);
      case 'Ec2InstanceMetadata':
        return instanceKeys(this.context, signal);
      case undefined:
      default:
        return Promise.resolve(undefined);
    }
  }

  private environmentKeys(): AwsKeys | undefined {
    const { env, clock } = this.context;
    const accessKeyId = variable(env, 'AWS_ACCESS_KEY_ID');
    const secretAccessKey = variable(env, 'AWS_SECRET_ACCESS_KEY');
    if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
    if (accessKeyId === undefined || secretAccessKey === undefined)
      throw new CredentialError('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together');
    const texts = { accessKeyId, secretAccessKey, sessionToken: variable(env, 'AWS_SESSION_TOKEN') };
    const identity = `access key ${shortId(accessKeyId)} (AWS_ACCESS_KEY_ID)`;
    return toKeys(texts, identity, 'the environment', clock.now());
  }

  private async profileKeys(named: string | undefined, signal: AbortSignal): Promise<AwsKeys | undefined> {
    const keys = await profileKeys(named ?? 'default', this, signal);
    if (keys || named === undefined) return keys;
    throw new CredentialError(
      `the profile ${named} of ${this.profile === undefined ? 'AWS_PROFILE' : 'ecr'} does not exist or has no keys and no role`,
    );
  }

  private async webIdentityKeys(signal: AbortSignal): Promise<AwsKeys | undefined> {
    const { env } = this.context;
    const file = variable(env, 'AWS_WEB_IDENTITY_TOKEN_FILE');
    const arn = variable(env, 'AWS_ROLE_ARN');
    if (file === undefined || arn === undefined) return undefined;
    const token = await readSecretFile(file, 'AWS_WEB_IDENTITY_TOKEN_FILE');
    const role = { arn, sessionName: this.sessionName, sts: this.sts() };
    return assumeRoleWithWebIdentity(role, { token, file }, this.context, signal);
  }

  private async lastKeys(signal: AbortSignal): Promise<AwsKeys> {
    const others = 'there are no AWS keys in the environment, a profile, a web identity token or a container';
    try {
      const keys = await instanceKeys(this.context, signal);
      if (keys) return keys;
    } catch (error) {
      if (error instanceof CredentialError) throw new CredentialError(`${others}, and ${error.message}`);
      throw error;
    }
    throw new CredentialError(`${others}, and AWS_EC2_METADATA_DISABLED is set`);
  }
}
