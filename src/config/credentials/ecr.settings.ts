import { IsOptional } from 'class-validator';
import { IsFlag, IsHttpUrl, IsText, rule } from '../validation/rules.js';
import { parseBoolean, Setting } from '../validation/setting.decorator.js';
import type { CheckedOptions } from './credential.settings.js';

const IsMatch = (name: string, message: string, pattern: RegExp) =>
  rule(name, message, (value) => typeof value === 'string' && pattern.test(value));

/** `ecr`: Amazon ECR, private and public, with the AWS keys that the SDKs would find. */
export class EcrSettings implements CheckedOptions {
  @Setting({
    name: 'region',
    description: 'region of the private registry; by default that in the host, or else AWS_REGION',
  })
  @IsOptional()
  @IsMatch('isRegion', 'must be a region of AWS such as eu-west-1', /^[a-z]{2,8}(-[a-z0-9]{1,16}){1,4}$/)
  region?: string;

  @Setting({
    name: 'registry_id',
    description: 'AWS account of the private registry; by default that in the host',
  })
  @IsOptional()
  @IsMatch('isAccount', 'must be an AWS account: twelve digits, in quotes', /^\d{12}$/)
  registryId?: string;

  @Setting({
    name: 'public',
    default: 'false',
    parse: parseBoolean,
    description: 'sign in to ECR Public; implied by the host public.ecr.aws',
  })
  @IsFlag()
  public = false;

  @Setting({
    name: 'profile',
    description: 'profile of the shared configuration and credentials files of AWS; by default AWS_PROFILE',
  })
  @IsOptional()
  @IsText('the name of a profile', 256)
  profile?: string;

  @Setting({ name: 'role_arn', description: 'role to assume with the keys that were found' })
  @IsOptional()
  @IsMatch(
    'isRole',
    'must be the ARN of a role such as arn:aws:iam::123456789012:role/pull',
    /^arn:[a-z-]{1,32}:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/,
  )
  roleArn?: string;

  @Setting({ name: 'external_id', description: 'external id that the trust policy of role_arn requires' })
  @IsOptional()
  @IsMatch('isExternalId', 'must be 2 to 1224 letters, digits and _ + = , . @ : / -', /^[\w+=,.@:/-]{2,1224}$/)
  externalId?: string;

  @Setting({
    name: 'endpoint',
    description:
      'URL of the API of ECR, for a VPC endpoint without private DNS; by default AWS_ENDPOINT_URL_ECR, or else that of the region',
  })
  @IsOptional()
  @IsHttpUrl()
  endpoint?: string;

  @Setting({
    name: 'sts_endpoint',
    description:
      'URL of STS, for a VPC endpoint without private DNS; by default AWS_ENDPOINT_URL_STS, or else that of the region in AWS_REGION',
  })
  @IsOptional()
  @IsHttpUrl()
  stsEndpoint?: string;

  mistakes(): ReturnType<CheckedOptions['mistakes']> {
    const found = [];
    if (this.externalId !== undefined && this.roleArn === undefined)
      found.push({ name: 'external_id', kind: 'text', reason: 'must be set together with role_arn' });
    if (this.public && this.region !== undefined)
      found.push({ name: 'region', kind: 'text', reason: 'must not be set for ECR Public, which has one region' });
    if (this.public && this.registryId !== undefined)
      found.push({ name: 'registry_id', kind: 'text', reason: 'must not be set for ECR Public' });
    return found;
  }
}
