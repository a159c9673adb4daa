import { describe, expect, it } from 'vitest';
import { validateSettings, type Values } from '../validation/validation.js';
import { AzureSettings } from './azure.settings.js';
import { GithubAppSettings } from './github-app.settings.js';
import { GoogleSettings } from './google.settings.js';

interface Checked {
  mistakes(): readonly { readonly name: string; readonly reason: string }[];
}

function problemsOf(type: new () => Checked, values: Values): string[] {
  const { value, problems } = validateSettings(type, values, (name) => name);
  const mistakes = value.mistakes().map(({ name, reason }) => `${name} ${reason}`);
  return [...problems.map(({ path, reason }) => `${path} ${reason}`), ...mistakes];
}

const app = { app_id: 12345, installation_id: 678, private_key_file: '/app.pem' };
const secret = 'planted-secret';

describe('the settings of credentials from clouds', () => {
  it.each([
    [GoogleSettings, {}],
    [GoogleSettings, { file: '/key.json', scopes: ['https://www.googleapis.com/auth/cloud-platform'] }],
    [
      GoogleSettings,
      { service_account: 'a@p.iam.gserviceaccount.com', registry_hosts: ['a:5000'], token_hosts: ['b'] },
    ],
    [AzureSettings, {}],
    [AzureSettings, { client_id: 'a-1', tenant_id: 'contoso.onmicrosoft.com', client_secret: secret }],
    [
      AzureSettings,
      { client_secret_file: '/s', authority_host: 'https://login.microsoftonline.us/', registry: 'a.azurecr.us' },
    ],
    [AzureSettings, { resource_id: '/subscriptions/1/resourceGroups/g (x)/providers/M.I/userAssignedIdentities/m' }],
    [AzureSettings, { token_file: '/token', client_id: 'a' }],
    [GithubAppSettings, app],
    [GithubAppSettings, { ...app, app_id: 'Iv23liABC', api_url: 'https://github.example/api/v3' }],
    [
      GithubAppSettings,
      { app_id: '1', owner: 'acme-corp', private_key_file: 'app.pem', api_url: 'http://127.0.0.1:1/x' },
    ],
  ] as [new () => Checked, Values][])('are valid: %o %j', (type, values) =>
    expect(problemsOf(type, values)).toEqual([]),
  );

  it.each([
    [GoogleSettings, { service_account: 'a/../b' }, 'service_account must be the email of a service account'],
    [GoogleSettings, { scopes: ['a b'] }, 'scopes must be a list of at most 20 OAuth scopes'],
    [GoogleSettings, { scopes: ['a,b'] }, 'scopes must be a list'],
    [GoogleSettings, { scopes: 'a' }, 'scopes must be a list'],
    [GoogleSettings, { token_hosts: ['https://x'] }, 'token_hosts must be a list of host names'],
    [GoogleSettings, { file: '/x', service_account: 'a' }, 'service_account is for the metadata server'],
    [GoogleSettings, { serviceAccount: 'a' }, 'serviceAccount is not a known setting; did you mean service_account?'],
    [AzureSettings, { tenant_id: 'a/b' }, 'tenant_id must be the ID or the domain of a tenant'],
    [AzureSettings, { client_id: 'a b' }, 'client_id must be the ID of a client'],
    [AzureSettings, { resource_id: 'x' }, 'resource_id must be a resource ID'],
    [AzureSettings, { authority_host: 'http://login.example' }, 'authority_host must be an https URL'],
    [AzureSettings, { authority_host: 'https://a:b@login.example' }, 'authority_host must be an https URL'],
    [AzureSettings, { registry: 'https://a' }, 'registry must be a host name'],
    [AzureSettings, { client_secret: secret, client_secret_file: '/s' }, 'client_secret must not be set together with'],
    [
      AzureSettings,
      { client_secret: secret, token_file: '/s' },
      'token_file must not be set together with a client secret',
    ],
    [AzureSettings, { client_id: 'a', resource_id: '/a' }, 'resource_id is for a managed identity'],
    [GithubAppSettings, { ...app, app_id: '' }, 'app_id must be the ID of an app'],
    [GithubAppSettings, { ...app, installation_id: 'x' }, 'installation_id must be the number of an installation'],
    [GithubAppSettings, { ...app, owner: 'a' }, 'installation_id must not be set together with owner'],
    [GithubAppSettings, { ...app, installation_id: null }, 'installation_id must be set, unless owner is'],
    [GithubAppSettings, { ...app, installation_id: null, owner: '../x' }, 'owner must be the name of an organization'],
    [GithubAppSettings, { ...app, private_key_file: undefined }, 'private_key_file must be the path of a file'],
    [GithubAppSettings, { ...app, api_url: 'http://github.example' }, 'api_url must be an https URL'],
  ] as [new () => Checked, Values, string][])('have mistakes: %o %j', (type, values, reason) => {
    const problems = problemsOf(type, values);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(reason);
    expect(problems.join()).not.toContain(secret);
  });
});
