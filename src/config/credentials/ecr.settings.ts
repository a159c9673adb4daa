import { IsOptional } from 'class-validator';
import { IsFlag, IsText } from '../validation/rules.js';
import { parseBoolean, Setting } from '../validation/setting.decorator.js';
import { IsApiUrl, IsMatching, type Mistake } from './cloud.rules.js';

/** `ecr`: Amazon ECR, private and public, with the AWS keys that the SDKs would find. */
export class EcrSettings {
  @Setting({
    name: 'region',
    description: 'region of the private registry; by default that in the host',
  })
  @IsOptional()
  @IsMatching(/^[a-z]{2,8}(-[a-z0-9]{1,16}){1,4}$/, 'a region of AWS such as eu-west-1')
  region?: string;

  @Setting({
    name: 'registry_id',
    description: 'AWS account of the private registry; by default that in the host',
  })
  @IsOptional()
  @IsMatching(/^\d{12}$/, 'an AWS account: twelve digits, in quotes')
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
  @IsMatching(
    /^arn:[a-z-]{1,32}:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/,
    'the ARN of a role such as arn:aws:iam::123456789012:role/pull',
  )
  roleArn?: string;

  @Setting({ name: 'external_id', description: 'external id that the trust policy of role_arn requires' })
  @IsOptional()
  @IsMatching(/^[\w+=,.@:/-]{2,1224}$/, '2 to 1224 letters, digits and _ + = , . @ : / -')
  externalId?: string;

  @Setting({
    name: 'endpoint',
    description:
      'URL of the API of ECR, for a VPC endpoint without private DNS; by default AWS_ENDPOINT_URL_ECR, or else that of the region',
  })
  @IsOptional()
  @IsApiUrl()
  endpoint?: string;

  @Setting({
    name: 'sts_endpoint',
    description:
      'URL of STS, for a VPC endpoint without private DNS; by default AWS_ENDPOINT_URL_STS, or else that of the region in AWS_REGION',
  })
  @IsOptional()
  @IsApiUrl()
  stsEndpoint?: string;

  mistakes(): readonly Mistake[] {
    const found: Mistake[] = [];
    if (this.externalId !== undefined && this.roleArn === undefined)
      found.push({ name: 'external_id', kind: 'text', reason: 'must be set together with role_arn' });
    if (this.public && this.region !== undefined)
      found.push({ name: 'region', kind: 'text', reason: 'must not be set for ECR Public, which has one region' });
    if (this.public && this.registryId !== undefined)
      found.push({ name: 'registry_id', kind: 'text', reason: 'must not be set for ECR Public' });
    return found;
  }
}
