import { findAwsDefaults } from '../../../config/aws/aws-defaults.js';
import { environment } from '../../../config/aws/environment.js';
import { stsEndpoint } from '../aws/endpoints.js';
import { KeyChain } from '../aws/keys/key.chain.js';
import { sign } from '../aws/signature.js';
import { CloudClient } from '../cloud.client.js';
import { CredentialError } from '../credential.source.js';
import type { GoogleFile } from './google.file.js';
import type { GoogleRequest } from './google.token.js';

/** Where any keys are valid, for machines that do not know their region. */
const anyRegion = 'us-east-1';

/**
 * A signed request that asks AWS who signed it, which Google's token service sends (cloud.google.com, "Configure workload
 * identity federation with AWS or Azure VMs"). The request is built here: one of the file's choice would be signed, too.
 */
export async function awsSubjectToken(source: GoogleFile, audience: string, request: GoogleRequest): Promise<string> {
  const version = source.get('environment_id');
  if (version !== 'aws1') {
    throw new CredentialError(`credential_source.environment_id of ${source.path} must be aws1`);
  }
  const { clock, signal } = request;
  const region = findAwsDefaults(environment).region?.value ?? anyRegion;
  if (!/^[a-z0-9-]{1,40}$/.test(region))
    throw new CredentialError('the region of AWS must be one such as eu-central-1');
  const sts = (own = region) => ({
    region: own,
    url: stsEndpoint({ region: own, isFips: false, isDualStack: false }, environment),
  });
  const keys = await new KeyChain({ env: environment, client: new CloudClient(), clock }, sts).find(signal);
  const text = `https://sts.${region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15`;
  const url = new URL(text);
  // Signed as well, so that the token is of no use for another pool.
  const headers = { 'x-goog-cloud-target-resource': audience };
  const signed = sign({ method: 'POST', url, headers, body: '' }, keys, { region, service: 'sts', now: clock.now() });
  const pairs = Object.entries({ ...signed, host: url.host }).map(([key, value]) => ({ key, value }));
  return encodeURIComponent(JSON.stringify({ url: text, method: 'POST', headers: pairs }));
}
