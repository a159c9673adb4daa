import { isApiUrl } from '../../../config/credentials/cloud.rules.js';
import type { AzureEnvironment, AzureSettings } from '../../../config/credentials/azure.settings.js';
import { CredentialError } from '../credential.source.js';
import { readSecretFile } from './cloud.files.js';
import { formOf } from './cloud.forms.js';
import { tokenOf } from './cloud.results.js';
import type { CloudSteps, Step } from './cloud.steps.js';

/** The audience of tokens that a registry exchanges, the same in all clouds. */
const resource = 'https://containerregistry.azure.net';
/** Where tokens are requested, by the end of the registry's name. */
const authorities: Readonly<Record<string, string>> = {
  cn: 'https://login.chinacloudapi.cn',
  us: 'https://login.microsoftonline.us',
};

/** An access token of Microsoft Entra. */
export interface EntraToken {
  readonly token: string;
  /** Undefined for a managed identity, whose token says it. */
  readonly tenant: string | undefined;
  readonly identity: string;
}

/** Access tokens for a client secret, a workload identity, or else the managed identity of the machine. */
export class EntraTokens {
  /** @param registry its login server, which tells the cloud. */
  constructor(
    private readonly settings: AzureSettings,
    private readonly environment: AzureEnvironment,
    private readonly registry: string,
    private readonly steps: CloudSteps,
  ) {}

  /** @throws CredentialError */
  async get(signal: AbortSignal): Promise<EntraToken> {
    const { settings, environment } = this;
    if (settings.resourceId !== undefined) return this.managed(signal);
    const tokenFile = settings.tokenFile ?? environment.tokenFile;
    const own = settings.clientSecret?.reveal() ?? (await this.secretOfFile());
    if (own !== undefined) return this.request({ client_secret: own }, signal);
    if (settings.tokenFile === undefined && environment.clientSecret !== undefined)
      return this.request({ client_secret: environment.clientSecret.reveal() }, signal);
    if (tokenFile === undefined) return this.managed(signal);
    const proof = {
      client_assertion: await readSecretFile(tokenFile, 'the token file'),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    };
    return this.request(proof, signal);
  }

  private secretOfFile(): Promise<string> | undefined {
    const { clientSecretFile: file } = this.settings;
    return file === undefined ? undefined : readSecretFile(file, 'the client secret file');
  }

  /** The client credentials grant (learn.microsoft.com, "OAuth 2.0 client credentials flow"). */
  private async request(proof: Readonly<Record<string, string>>, signal: AbortSignal): Promise<EntraToken> {
    const client = this.required('client_id', 'AZURE_CLIENT_ID', this.settings.clientId ?? this.environment.clientId);
    const tenant = this.required('tenant_id', 'AZURE_TENANT_ID', this.settings.tenantId ?? this.environment.tenantId);
    const step: Step = {
      name: `the token request for the application ${client}`,
      url: new URL(`${this.authority()}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`),
      ...formOf({ grant_type: 'client_credentials', client_id: client, scope: `${resource}/.default`, ...proof }),
      fields: { access_token: 'value' },
      advise: (status) =>
        status === undefined || status >= 500
          ? undefined
          : 'check tenant_id, client_id, and the secret or the federated credential of the application',
    };
    const result = await this.steps.run(step, signal);
    const token = tokenOf(result, 'access_token', step);
    return { token, tenant, identity: `application ${client} of tenant ${tenant}` };
  }

  /** The instance metadata service (learn.microsoft.com, "How to use managed identities on an Azure VM"). */
  private async managed(signal: AbortSignal): Promise<EntraToken> {
    const { resourceId, clientId: chosen } = this.settings;
    const client = resourceId === undefined ? (chosen ?? this.environment.clientId) : undefined;
    const url = new URL('/metadata/identity/oauth2/token', this.metadata());
    url.search = new URLSearchParams({
      'api-version': '2018-02-01',
      resource,
      ...(client !== undefined && { client_id: client }),
      ...(resourceId !== undefined && { msi_res_id: resourceId }),
    }).toString();
    const name = client ?? resourceId;
    const step: Step = {
      name: 'the token request to the instance metadata service',
      method: 'GET',
      url,
      headers: { metadata: 'true' },
      isMetadata: true,
      fields: { access_token: 'value' },
      advise: adviseManaged,
    };
    const result = await this.steps.run(step, signal);
    const identity = name === undefined ? 'managed identity of the machine' : `managed identity ${name}`;
    return { token: tokenOf(result, 'access_token', step), tenant: undefined, identity };
  }

  private metadata(): string {
    const { metadata } = this.environment;
    if (/^https?:\/\/[^\s/?#@\\]+\/?$/.test(metadata) && URL.canParse(metadata)) return metadata;
    throw new CredentialError('AZURE_POD_IDENTITY_AUTHORITY_HOST must be an http URL of a host and a port');
  }

  private authority(): string {
    const given = this.settings.authorityHost ?? this.environment.authorityHost;
    if (given !== undefined && !isApiUrl(given)) {
      throw new CredentialError('AZURE_AUTHORITY_HOST must be an https URL without credentials, query or fragment');
    }
    const end = /\.azurecr\.(cn|us)$/.exec(this.registry)?.[1] ?? '';
    return (given ?? authorities[end] ?? 'https://login.microsoftonline.com').replace(/\/+$/, '');
  }

  private required(setting: string, variable: string, value: string | undefined): string {
    if (value !== undefined) return value;
    throw new CredentialError(`azure needs ${setting} or ${variable} for a client secret or a workload identity`);
  }
}

function adviseManaged(status: number | undefined): string | undefined {
  if (status === undefined)
    return 'outside Azure, use workload identity, or client_id, tenant_id and client_secret_file';
  if (status === 400 || status === 404)
    return 'assign a managed identity to the machine, and name it with client_id when there are several';
  return undefined;
}
