import type { Section } from '../../../../config/aws/shared-config.js';
import { readSecretFile } from '../../clouds/cloud.files.js';
import { CredentialError } from '../../credential.source.js';
import { shortId, toKeys, type AwsContext, type AwsKeys } from './aws.keys.js';
import { SharedProfiles } from './shared.profiles.js';
import { assumeRole, assumeRoleWithWebIdentity, type Role } from '../sts.js';

/** Profiles that one after another assume a role with the keys of the next. */
const longestPath = 5;

/** Keys that the SDK gets from programs and browsers. */
const unsupported = ['credential_process', 'sso_session', 'sso_start_url', 'login_session'];

/** What a profile refers to. */
interface ChainOfProfile {
  readonly context: AwsContext;
  readonly sessionName: string;
  /** @param region of the profile */
  sts(region?: string): Role['sts'];
  /** Keys of a `credential_source`. @throws CredentialError */
  named(source: string | undefined, profile: string, signal: AbortSignal): Promise<AwsKeys>;
}

/**
 * Keys of a profile: those in it, those of a role that it names, or those of a role for a web identity token.
 * @returns undefined when the profile does not exist or says nothing about keys. @throws CredentialError
 */
export async function profileKeys(
  name: string,
  chain: ChainOfProfile,
  signal: AbortSignal,
): Promise<AwsKeys | undefined> {
  const profiles = await SharedProfiles.read(chain.context.env);
  return new ProfileReader(profiles, chain, signal).keysOf(name, []);
}

class ProfileReader {
  constructor(
    private readonly profiles: SharedProfiles,
    private readonly chain: ChainOfProfile,
    private readonly signal: AbortSignal,
  ) {}

  async keysOf(name: string, path: readonly string[]): Promise<AwsKeys | undefined> {
    const profile = this.profiles.find(name);
    if (!profile) return undefined;
    const isSource = path.length > 0;
    // A profile may be the source of its own role.
    if (isSource && hasKeys(profile)) return this.ownKeys(name, profile);
    if (path.includes(name) || path.length >= longestPath)
      throw new CredentialError(`the profiles ${[...path, name].join(', ')} assume each other's roles without end`);
    if (present(profile.source_profile) ?? present(profile.credential_source))
      return this.assumed(name, profile, [...path, name]);
    if (hasKeys(profile)) return this.ownKeys(name, profile);
    if (present(profile.web_identity_token_file)) return this.webIdentity(name, profile);
    const other = unsupported.find((key) => present(profile[key]));
    if (other === undefined) return undefined;
    throw new CredentialError(
      `the profile ${name} has ${other}, which is not supported: use helper: { name: ecr-login }, which supports it, or another profile`,
    );
  }

  private ownKeys(name: string, profile: Section): AwsKeys {
    const accessKeyId = present(profile.aws_access_key_id) ?? '';
    const texts = {
      accessKeyId,
      secretAccessKey: profile.aws_secret_access_key,
      sessionToken: present(profile.aws_session_token),
    };
    const { clock } = this.chain.context;
    return toKeys(texts, `access key ${shortId(accessKeyId)} (profile ${name})`, `the profile ${name}`, clock.now());
  }

  private async assumed(name: string, profile: Section, path: readonly string[]): Promise<AwsKeys> {
    const { source_profile: source, credential_source: kind, mfa_serial: mfa } = profile;
    if (present(mfa))
      throw new CredentialError(
        `the profile ${name} requires a code of an MFA device (mfa_serial): use another profile`,
      );
    const keys = await (present(source)
      ? this.sourceKeys(name, source, path)
      : this.chain.named(kind, name, this.signal));
    return assumeRole(this.roleOf(name, profile), keys, this.chain.context, this.signal);
  }

  private async sourceKeys(name: string, source: string | undefined, path: readonly string[]): Promise<AwsKeys> {
    const keys = await this.keysOf(source ?? '', path);
    if (keys) return keys;
    throw new CredentialError(
      `the source_profile ${source} of the profile ${name} has no keys in ${this.profiles.files}`,
    );
  }

  private async webIdentity(name: string, profile: Section): Promise<AwsKeys> {
    const file = profile.web_identity_token_file ?? '';
    const token = await readSecretFile(file, `web_identity_token_file of the profile ${name}`);
    return assumeRoleWithWebIdentity(this.roleOf(name, profile), { token, file }, this.chain.context, this.signal);
  }

  private roleOf(name: string, profile: Section): Role {
    const arn = present(profile.role_arn);
    if (arn === undefined) throw new CredentialError(`the profile ${name} has no role_arn`);
    return {
      arn,
      sessionName: present(profile.role_session_name) ?? this.chain.sessionName,
      externalId: present(profile.external_id),
      sts: this.chain.sts(present(profile.region)),
    };
  }
}

const present = (value: string | undefined) => (value === '' ? undefined : value);

const hasKeys = (profile: Section) =>
  present(profile.aws_access_key_id) !== undefined && present(profile.aws_secret_access_key) !== undefined;
