import { describe, expect, it } from 'vitest';
import { validateSettings, type Values } from '../validation/validation.js';
import { EcrSettings } from './ecr.settings.js';

function problemsOf(values: Values): string[] {
  const { value, problems } = validateSettings(EcrSettings, values, (name) => name);
  const found = problems.map(({ path, reason }) => `${path} ${reason}`);
  return [...found, ...value.mistakes().map(({ name, reason }) => `${name} ${reason}`)];
}

const role = 'arn:aws:iam::123456789012:role/path/pull';

describe('the settings of ecr', () => {
  it.each([
    {},
    { region: 'eu-central-1', registry_id: '012345678901', profile: 'pull' },
    { region: 'us-gov-west-1', role_arn: role.replace('aws', 'aws-us-gov'), external_id: 'planet:7' },
    { public: true, role_arn: role },
    { endpoint: 'https://vpce-1.api.ecr.eu-west-1.vpce.amazonaws.com', sts_endpoint: 'http://127.0.0.1:1' },
  ])('are valid: %j', (values) => expect(problemsOf(values)).toEqual([]));

  it.each([
    [{ region: 'Frankfurt' }, 'region must be a region of AWS such as eu-west-1'],
    [{ region: 'eu-west-1/x' }, 'region must be a region of AWS'],
    [{ registry_id: '12345' }, 'registry_id must be an AWS account: twelve digits, in quotes'],
    [{ registry_id: 123456789012 }, 'registry_id must be an AWS account: twelve digits, in quotes'],
    [{ role_arn: 'pull' }, 'role_arn must be the ARN of a role such as'],
    [{ role_arn: 'arn:aws:iam::123456789012:user/x' }, 'role_arn must be the ARN of a role such as'],
    [{ role_arn: role, external_id: 'a b' }, 'external_id must be 2 to 1224'],
    [{ external_id: 'planet-7' }, 'external_id must be set together with role_arn'],
    [{ endpoint: 'http://ecr.example' }, 'endpoint must be an https URL'],
    [{ sts_endpoint: 'sts.example' }, 'sts_endpoint must be an https URL'],
    [{ public: true, region: 'us-east-1' }, 'region must not be set for ECR Public'],
    [{ public: true, registry_id: '012345678901' }, 'registry_id must not be set for ECR Public'],
    [{ roleArn: role }, 'roleArn is not a known setting; did you mean role_arn?'],
  ])('are not valid: %j', (values, problem) => expect(problemsOf(values)[0]).toContain(problem));
});
