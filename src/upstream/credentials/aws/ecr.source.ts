import { findAwsDefaults } from '../../../config/aws/aws-defaults.js';
import { environment, type Environment } from '../../../config/aws/environment.js';
import type { EcrSettings } from '../../../config/credentials/ecr.settings.js';
import { markOf } from '../../../config/files/regular.file.js';
import { CloudClient } from '../cloud.client.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';
import { readAuthorizationToken } from './authorization.token.js';
import { callAws } from './aws.call.js';
import type { AwsCall } from './aws.failures.js';
import type { AwsContext, AwsKeys } from './keys/aws.keys.js';
import {
  areOfOnePartition,
  chooseEndpoint,
  ecrEndpoint,
  ecrPublicEndpoint,
  parseRegistryHost,
  publicRegion,
  stsEndpoint,
  type EndpointChoice,
  type RegistryHost,
} from './endpoints.js';
import { KeyChain } from './keys/key.chain.js';
import { sharedFiles } from './keys/shared.profiles.js';
import { assumeRole, type Role } from './sts.js';

/** Passwords of Amazon ECR, for keys that AWS gives this machine, pod or task. */
export class EcrSource implements CredentialSource {
  readonly kind = 'ecr';
  private readonly host: RegistryHost | undefined;
  private readonly aws: AwsContext;

  /** @param env replaced in tests */
  constructor(
    private readonly settings: EcrSettings,
    private readonly context: Pick<SourceContext, 'host' | 'clock'>,
    private readonly env: Environment = environment,
  ) {
    const { host, clock } = context;
    const known = parseRegistryHost(host);
    this.host = known ?? parseRegistryHost(endpointHostOf(settings));
    this.aws = { env, clock, client: new CloudClient() };
  }

  async fetch(signal: AbortSignal): Promise<UpstreamCredentials> {
    const choice = this.choose();
    const keys = await this.keys(choice, signal);
    const text = await callAws(this.callFor(choice, keys), this.aws, signal);
    const { password, expiresAt } = readAuthorizationToken(text, this.aws.clock.now());
    return { username: 'AWS', password, kind: 'password', expiresAt, identity: `AWS ${keys.identity}` };
  }

  /** The files of profiles, in which others may replace keys. */
  async mark(): Promise<string> {
    const marks = sharedFiles(this.env).map((path) => markOf(path).catch(() => 'none'));
    return (await Promise.all(marks)).join(', ');
  }

  private get isPublic(): boolean {
    return this.settings.public || this.host?.isPublic === true;
  }

  /** @throws CredentialError when neither the host nor a setting says that it is a registry of ECR */
  private choose(): EndpointChoice {
    const region = this.isPublic ? publicRegion : (this.settings.region ?? this.host?.region);
    if (region !== undefined) return chooseEndpoint(region, this.host, this.env);
    // Passwords of ECR are for no other registry.
    throw new CredentialError(
      `${this.context.host} is no host of ECR: if it leads to a registry of ECR, set region or public of ecr`,
    );
  }

  private async keys(choice: EndpointChoice, signal: AbortSignal): Promise<AwsKeys> {
    const { profile, roleArn, externalId } = this.settings;
    const sts = (region?: string) => this.sts(choice, region);
    const chain = new KeyChain(this.aws, sts, profile);
    const keys = await chain.find(signal);
    if (roleArn === undefined) return keys;
    return assumeRole({ arn: roleArn, sessionName: chain.sessionName, externalId, sts: sts() }, keys, this.aws, signal);
  }

  /** The nearest STS of the same partition; its VPC endpoint is in the region of this machine. */
  private sts(choice: EndpointChoice, preferred: string | undefined): Role['sts'] {
    const own = preferred ?? findAwsDefaults(this.env).region?.value;
    const region = own !== undefined && areOfOnePartition(own, choice.region) ? own : choice.region;
    return { region, url: stsEndpoint({ ...choice, region }, this.env, this.settings.stsEndpoint) };
  }

  private callFor(choice: EndpointChoice, keys: AwsKeys): AwsCall {
    const { endpoint, registryId = this.host?.account } = this.settings;
    const { region } = choice;
    const json = { 'content-type': 'application/x-amz-json-1.1' };
    const common = { operation: 'GetAuthorizationToken', caller: keys.identity };
    if (this.isPublic)
      return {
        ...common,
        name: 'ECR Public',
        url: ecrPublicEndpoint(choice, this.env, endpoint),
        headers: { ...json, 'x-amz-target': 'SpencerFrontendService.GetAuthorizationToken' },
        body: '{}',
        signing: { keys, region, service: 'ecr-public' },
        whenDenied: 'allow it ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken on the resource *',
      };
    return {
      ...common,
      name: 'ECR',
      url: ecrEndpoint(choice, this.env, endpoint),
      headers: { ...json, 'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken' },
      body: JSON.stringify(registryId === undefined ? {} : { registryIds: [registryId] }),
      signing: { keys, region, service: 'ecr' },
      whenDenied: 'allow it ecr:GetAuthorizationToken on the resource *',
    };
  }
}

/** A VPC endpoint names its region, too. */
function endpointHostOf({ endpoint }: EcrSettings): string {
  return endpoint !== undefined && URL.canParse(endpoint) ? new URL(endpoint).hostname : '';
}
