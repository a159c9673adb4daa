import { describe, expect, it } from 'vitest';
import { chooseEndpoint, ecrEndpoint, ecrPublicEndpoint, parseRegistryHost, stsEndpoint } from './endpoints.js';

/** Account, region and flags of a host, and the endpoints of ECR and STS for it. */
function endpointsOf(host: string, env = {}): string[] {
  const parsed = parseRegistryHost(host);
  const choice = chooseEndpoint(parsed?.region ?? 'none', parsed, env);
  return [ecrEndpoint(choice, env).host, stsEndpoint(choice, env).host];
}

describe('the host of a registry of ECR', () => {
  it.each([
    ['123456789012.dkr.ecr.us-east-1.amazonaws.com', 'api.ecr.us-east-1.amazonaws.com', 'sts.us-east-1.amazonaws.com'],
    [
      '123456789012.DKR.ecr.us-west-2.amazonaws.com:443',
      'api.ecr.us-west-2.amazonaws.com',
      'sts.us-west-2.amazonaws.com',
    ],
    [
      '123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com',
      'api.ecr-fips.us-gov-west-1.amazonaws.com',
      'sts-fips.us-gov-west-1.amazonaws.com',
    ],
    ['123456789012.dkr-ecr.us-west-2.on.aws', 'ecr.us-west-2.api.aws', 'sts.us-west-2.api.aws'],
    [
      '123456789012.dkr-ecr-fips.us-gov-east-1.on.aws',
      'ecr-fips.us-gov-east-1.api.aws',
      'sts-fips.us-gov-east-1.api.aws',
    ],
    [
      '210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn',
      'api.ecr.cn-north-1.amazonaws.com.cn',
      'sts.cn-north-1.amazonaws.com.cn',
    ],
    [
      '210987654321.dkr.ecr.cn-north-1.on.amazonwebservices.com.cn',
      'ecr.cn-north-1.api.amazonwebservices.com.cn',
      'sts.cn-north-1.api.amazonwebservices.com.cn',
    ],
    [
      '123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu',
      'api.ecr.eusc-de-east-1.amazonaws.eu',
      'sts.eusc-de-east-1.amazonaws.eu',
    ],
    [
      '123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov',
      'api.ecr.us-iso-east-1.c2s.ic.gov',
      'sts.us-iso-east-1.c2s.ic.gov',
    ],
    [
      '123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov',
      'api.ecr.us-isob-east-1.sc2s.sgov.gov',
      'sts.us-isob-east-1.sc2s.sgov.gov',
    ],
    [
      '123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk',
      'api.ecr.eu-isoe-west-1.cloud.adc-e.uk',
      'sts.eu-isoe-west-1.cloud.adc-e.uk',
    ],
    [
      '123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov',
      'api.ecr.us-isof-south-1.csp.hci.ic.gov',
      'sts.us-isof-south-1.csp.hci.ic.gov',
    ],
    [
      'vpce-0a1b2c3d4e5f-abcdefgh.dkr.ecr.eu-west-1.vpce.amazonaws.com',
      'api.ecr.eu-west-1.amazonaws.com',
      'sts.eu-west-1.amazonaws.com',
    ],
  ])('%s leads to its API', (host, ecr, sts) => {
    expect(endpointsOf(host)).toEqual([ecr, sts]);
  });

  it.each([
    ['public.ecr.aws', 'api.ecr-public.us-east-1.amazonaws.com'],
    ['ecr-public.aws.com', 'ecr-public.us-east-1.api.aws'],
  ])('%s is public', (host, api) => {
    const parsed = parseRegistryHost(host);
    expect(parsed?.isPublic).toBe(true);
    expect(ecrPublicEndpoint(chooseEndpoint('us-east-1', parsed, {}), {}).host).toBe(api);
  });

  it.each([
    'registry.example.com',
    '.dkr.ecr.not-real.amazonaws.com',
    '12345678901.dkr.ecr.us-east-1.amazonaws.com',
    '123456789012.dkr.ecr.us-west-2.amazonaws.com.fake.example.com',
    '123456789012.dkr.ecr.us-east-1.amazonaws.com.evil',
    '210987654321.dkr.ecr.cn-north-1.on.aws.com.cn',
    'x123456789012.dkr.ecr.us-east-1.amazonaws.com',
    'evil-public.ecr.aws',
    '',
  ])('%s is none', (host) => {
    expect(parseRegistryHost(host)).toBeUndefined();
  });

  it('has the endpoints that the variables of the AWS tools add', () => {
    const host = '123456789012.dkr.ecr.us-east-1.amazonaws.com';
    expect(endpointsOf(host, { AWS_USE_FIPS_ENDPOINT: 'true' })[0]).toBe('api.ecr-fips.us-east-1.amazonaws.com');
    expect(endpointsOf(host, { AWS_USE_DUALSTACK_ENDPOINT: 'true' })[0]).toBe('ecr.us-east-1.api.aws');
    const env = { AWS_ENDPOINT_URL_ECR: 'https://ecr.test:81/x', AWS_ENDPOINT_URL_STS: 'https://sts.test' };
    expect(endpointsOf(host, env)).toEqual(['ecr.test:81', 'sts.test']);
    expect(endpointsOf(host, { AWS_ENDPOINT_URL: 'http://minio.test' })[0]).toBe('api.ecr.us-east-1.amazonaws.com');
    for (const url of ['ecr.test', 'http://ecr.test', 'https://a:b@ecr.test'])
      expect(() => endpointsOf(host, { AWS_ENDPOINT_URL_ECR: url })).toThrow(
        'AWS_ENDPOINT_URL_ECR must be an https URL',
      );
  });
});
