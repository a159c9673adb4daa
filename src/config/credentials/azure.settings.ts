import { IsOptional } from 'class-validator';
import { IsRegistryHost, IsSecret, IsText } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import { toSecret, type Secret } from '../values/secret.js';
import type { CheckedOptions } from './checked-options.js';
import { IsApiUrl, IsMatching, type Mistake } from './cloud.rules.js';
import { variable } from './cloud.variable.js';

/** `azure`: Azure Container Registry, with a workload identity, a managed identity or a client secret. */
export class AzureSettings implements CheckedOptions {
  @Setting({
    name: 'client_id',
    description:
      'client ID of the application, or of the user-assigned managed identity; AZURE_CLIENT_ID unless set, and the system-assigned identity without both',
  })
  @IsOptional()
  @IsMatching(/^[\w-]{1,128}$/, 'the ID of a client, such as 11111111-2222-3333-4444-555555555555')
  clientId?: string;

  @Setting({ name: 'tenant_id', description: 'ID or domain of the Microsoft Entra tenant; AZURE_TENANT_ID unless set' })
  @IsOptional()
  @IsMatching(/^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/, 'the ID or the domain of a tenant')
  tenantId?: string;

  @Setting({
    name: 'client_secret',
    secret: true,
    description: 'secret of the application; AZURE_CLIENT_SECRET unless set. Needs client_id and tenant_id',
  })
  @IsOptional()
  @IsSecret()
  get clientSecret(): Secret | undefined {
    return this.secret;
  }
  set clientSecret(value: Secret | string | undefined) {
    this.secret = toSecret(value);
  }

  @Setting({
    name: 'client_secret_file',
    description: 'file that contains the secret of the application; read again when it changes',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  clientSecretFile?: string;

  @Setting({
    name: 'token_file',
    description:
      'file with the service account token of workload identity, read for every request; AZURE_FEDERATED_TOKEN_FILE unless set',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  tokenFile?: string;

  @Setting({
    name: 'resource_id',
    description: 'Azure resource ID of the user-assigned managed identity, in place of client_id',
  })
  @IsOptional()
  @IsMatching(/^\/[\w./() -]{1,1023}$/, 'a resource ID, such as /subscriptions/…/userAssignedIdentities/mirror')
  resourceId?: string;

  @Setting({
    name: 'authority_host',
    description:
      'URL at which tokens are requested; AZURE_AUTHORITY_HOST unless set, or else the one of the cloud that the registry is in',
  })
  @IsOptional()
  @IsApiUrl()
  authorityHost?: string;

  @Setting({
    name: 'registry',
    description:
      'login server of the registry, such as contoso.azurecr.io, for a registry whose host is another name; host unless set',
  })
  @IsOptional()
  @IsRegistryHost()
  registry?: string;

  private secret?: Secret | undefined;

  mistakes(): readonly Mistake[] {
    const mistakes: Mistake[] = [];
    const say = (name: string, reason: string) => mistakes.push({ name, kind: 'text', reason });
    const hasSecret = this.clientSecret !== undefined || this.clientSecretFile !== undefined;
    if (this.clientSecret !== undefined && this.clientSecretFile !== undefined)
      say('client_secret', 'must not be set together with client_secret_file');
    if (hasSecret && this.tokenFile !== undefined) say('token_file', 'must not be set together with a client secret');
    if (this.resourceId !== undefined && (hasSecret || this.tokenFile !== undefined || this.clientId !== undefined))
      say('resource_id', 'is for a managed identity: set it without client_id, token_file and client secret');
    return mistakes;
  }
}

/** What the environment says where settings do not. */
export interface AzureEnvironment {
  readonly clientId: string | undefined;
  readonly tenantId: string | undefined;
  readonly clientSecret: Secret | undefined;
  readonly tokenFile: string | undefined;
  readonly authorityHost: string | undefined;
  /** Origin of the instance metadata service. */
  readonly metadata: string;
}

export function azureEnvironment(): AzureEnvironment {
  return {
    clientId: variable('AZURE_CLIENT_ID'),
    tenantId: variable('AZURE_TENANT_ID'),
    clientSecret: toSecret(variable('AZURE_CLIENT_SECRET')),
    tokenFile: variable('AZURE_FEDERATED_TOKEN_FILE'),
    authorityHost: variable('AZURE_AUTHORITY_HOST'),
    metadata: variable('AZURE_POD_IDENTITY_AUTHORITY_HOST') ?? 'http://169.254.169.254',
  };
}
