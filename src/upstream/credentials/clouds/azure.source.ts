import { isSecure } from '../../../config/credentials/cloud.rules.js';
import { azureEnvironment, type AzureSettings } from '../../../config/credentials/azure.settings.js';
import { markOf } from '../../../config/files/regular.file.js';
import { Secret } from '../../../config/values/secret.js';
import { CloudClient } from '../cloud.client.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';
import { EntraTokens, type EntraToken } from './azure.tokens.js';
import { formOf } from './cloud.forms.js';
import { endOfJwt, tokenOf } from './cloud.results.js';
import { CloudSteps, type Step } from './cloud.steps.js';

/** Tells a registry that the password is a refresh token. */
const user = '00000000-0000-0000-0000-000000000000';
const loginServer = /^[a-z0-9-]+(\.[a-z0-9-]+)*\.azurecr\.(io|cn|us)$/;

/**
 * Refresh tokens of Azure Container Registry, which are valid for three hours: the registry gives them in exchange for an
 * access token of Microsoft Entra (github.com/Azure/acr, docs/AAD-OAuth.md).
 */
export class AzureSource implements CredentialSource {
  readonly kind = 'azure';
  private readonly steps: CloudSteps;
  private readonly registrySteps: CloudSteps;

  constructor(
    private readonly settings: AzureSettings,
    private readonly context: SourceContext,
    client = new CloudClient(),
  ) {
    const { certificateAuthorities: ca, clock } = context;
    this.steps = new CloudSteps(client, clock);
    this.registrySteps = ca === undefined ? this.steps : new CloudSteps(new CloudClient(ca), clock);
  }

  /** Tokens of workload identity change every hour and are read each time: they need no watching. */
  async mark(): Promise<string> {
    const { clientSecretFile: file } = this.settings;
    return file === undefined ? '' : markOf(file);
  }

  async fetch(signal: AbortSignal): Promise<UpstreamCredentials> {
    const registry = this.registry();
    const url = this.exchangeUrl(registry);
    const token = await new EntraTokens(this.settings, azureEnvironment(), registry, this.steps).get(signal);
    const step = exchangeOf(url, registry, token);
    const password = tokenOf(await this.registrySteps.run(step, signal), 'refresh_token', step);
    return {
      username: user,
      password: new Secret(password),
      kind: 'password',
      expiresAt: endOfJwt(password, step, this.context.clock.now()),
      identity: token.identity,
    };
  }

  private exchangeUrl(registry: string): URL {
    const url = new URL('/oauth2/exchange', `${this.context.base.protocol}//${registry}`);
    if (isSecure(url)) return url;
    throw new CredentialError(`azure sends no token to ${registry} over plain http: remove tls: false`);
  }

  /** An access token is for registries of Azure only. */
  private registry(): string {
    const { host, base } = this.context;
    if (this.settings.registry !== undefined) return this.settings.registry;
    if (loginServer.test(base.host)) return base.host;
    throw new CredentialError(
      `azure gives tokens to *.azurecr.io only: for a registry that has ${host} as another name, set registry to its login server`,
    );
  }
}

function exchangeOf(url: URL, registry: string, { token, tenant, identity }: EntraToken): Step {
  return {
    name: `the exchange of the token of the ${identity}`,
    url,
    ...formOf({ grant_type: 'access_token', service: registry, tenant, access_token: token }),
    fields: { refresh_token: 'value' },
    advise: (status) => {
      if (status === 401) return 'grant the identity the role AcrPull at the registry';
      if (status === 403) return 'allow this address in the network rules of the registry';
      if (status === 404) return 'check that it is an Azure Container Registry';
      return undefined;
    },
  };
}
