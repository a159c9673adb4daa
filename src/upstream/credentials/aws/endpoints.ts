import type { Environment } from '../../../config/aws/environment.js';
import { isApiUrl } from '../../../config/credentials/cloud.rules.js';
import { CredentialError } from '../credential.source.js';
import { variable } from './keys/aws.keys.js';

/** A part of AWS with accounts of its own. */
interface Partition {
  readonly regions: RegExp;
  /** Domain of its endpoints. */
  readonly suffix: string;
  /** Domain of those that also have IPv6 addresses. */
  readonly dualStack: string;
}

/** From the SDK's `partitions.json`; regions that match none are of the first. */
const standard: Partition = { regions: /^[a-z]{2}-/, suffix: 'amazonaws.com', dualStack: 'api.aws' };
const partitions: readonly Partition[] = [
  { ...standard, regions: /^us-gov-/ },
  { regions: /^cn-/, suffix: 'amazonaws.com.cn', dualStack: 'api.amazonwebservices.com.cn' },
  { regions: /^eusc-/, suffix: 'amazonaws.eu', dualStack: 'api.amazonwebservices.eu' },
  { regions: /^us-iso-/, suffix: 'c2s.ic.gov', dualStack: 'api.aws.ic.gov' },
  { regions: /^us-isob-/, suffix: 'sc2s.sgov.gov', dualStack: 'api.aws.scloud' },
  { regions: /^eu-isoe-/, suffix: 'cloud.adc-e.uk', dualStack: 'api.cloud-aws.adc-e.uk' },
  { regions: /^us-isof-/, suffix: 'csp.hci.ic.gov', dualStack: 'api.aws.hci.ic.gov' },
];

const partitionOf = (region: string) => partitions.find(({ regions }) => regions.test(region)) ?? standard;

/** The environment may name the region of another S3 server, such as `garage` or `auto`. */
const region = /^[a-z]{2,5}(-[a-z]{1,16}){1,2}-\d{1,2}$/;

/** Whether keys for one region of AWS are valid in the other. */
export function areOfOnePartition(one: string, other: string): boolean {
  return region.test(one) && partitionOf(one) === partitionOf(other);
}

/** What the host name of an ECR registry says. */
export interface RegistryHost {
  readonly isPublic: boolean;
  readonly account?: string;
  readonly region?: string;
  readonly isFips: boolean;
  readonly isDualStack: boolean;
}

/** The hosts that `docker-credential-ecr-login` knows, and those of VPC endpoints. */
const privateHost =
  /^(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.(?:com(?:\.cn)?|eu)|(on)\.(?:aws|amazonwebservices\.com\.cn)|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$/;
const endpointHost = /^vpce-[a-z0-9-]+\.(?:dkr|api)\.ecr(?:-fips)?\.([a-z0-9-]+)\.vpce\./;

/** @param host with or without a port */
export function parseRegistryHost(host: string): RegistryHost | undefined {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (name === 'public.ecr.aws') return { isPublic: true, isFips: false, isDualStack: false };
  if (name === 'ecr-public.aws.com') return { isPublic: true, isFips: false, isDualStack: true };
  const [, account, fips, region, dualStack] = privateHost.exec(name) ?? [];
  if (account !== undefined && region !== undefined) {
    return { isPublic: false, account, region, isFips: fips !== undefined, isDualStack: dualStack !== undefined };
  }
  const endpointRegion = endpointHost.exec(name)?.[1];
  if (endpointRegion === undefined) return undefined;
  return { isPublic: false, region: endpointRegion, isFips: false, isDualStack: false };
}

/** Which of the endpoints of a service is called. */
export interface EndpointChoice {
  readonly region: string;
  readonly isFips: boolean;
  readonly isDualStack: boolean;
}

const isOn = (env: Environment, name: string) => variable(env, name)?.toLowerCase() === 'true';

/** @param host what the host of the registry says; the variables of the AWS tools can only add to it. */
export function chooseEndpoint(region: string, host: RegistryHost | undefined, env: Environment): EndpointChoice {
  return {
    region,
    isFips: host?.isFips === true || isOn(env, 'AWS_USE_FIPS_ENDPOINT'),
    isDualStack: host?.isDualStack === true || isOn(env, 'AWS_USE_DUALSTACK_ENDPOINT'),
  };
}

/**
 * Where GetAuthorizationToken of private registries is sent. @param given a setting
 * @throws CredentialError when the environment names no URL
 */
export function ecrEndpoint({ region, isFips, isDualStack }: EndpointChoice, env: Environment, given?: string): URL {
  const { suffix, dualStack } = partitionOf(region);
  const fips = isFips ? '-fips' : '';
  const usual = isDualStack ? `ecr${fips}.${region}.${dualStack}` : `api.ecr${fips}.${region}.${suffix}`;
  return endpoint(env, 'AWS_ENDPOINT_URL_ECR', given, usual);
}

/** The region that serves the API of public registries. */
export const publicRegion = 'us-east-1';

/** Where GetAuthorizationToken of public registries is sent. @throws CredentialError as above */
export function ecrPublicEndpoint({ isDualStack }: EndpointChoice, env: Environment, given?: string): URL {
  const usual = isDualStack
    ? `ecr-public.${publicRegion}.${standard.dualStack}`
    : `api.ecr-public.${publicRegion}.${standard.suffix}`;
  return endpoint(env, 'AWS_ENDPOINT_URL_ECR_PUBLIC', given, usual);
}

/** The endpoint of STS in a region: the global one is a single point of failure. @throws CredentialError as above */
export function stsEndpoint({ region, isFips, isDualStack }: EndpointChoice, env: Environment, given?: string): URL {
  const { suffix, dualStack } = partitionOf(region);
  const usual = `sts${isFips ? '-fips' : ''}.${region}.${isDualStack ? dualStack : suffix}`;
  return endpoint(env, 'AWS_ENDPOINT_URL_STS', given, usual);
}

/** AWS_ENDPOINT_URL is left out: where it is set, it names the server of the bucket. */
function endpoint(env: Environment, name: string, given: string | undefined, usual: string): URL {
  const configured = given ?? variable(env, name);
  if (configured === undefined) return new URL(`https://${usual}/`);
  // Session tokens and tokens of service accounts are sent there.
  if (isApiUrl(configured)) return new URL('/', configured);
  throw new CredentialError(`${name} must be an https URL`);
}
