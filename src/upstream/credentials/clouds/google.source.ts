import { googleEnvironment, type GoogleSettings } from '../../../config/credentials/google.settings.js';
import { markOf } from '../../../config/files/regular.file.js';
import { Secret } from '../../../config/values/secret.js';
import { CloudClient } from '../cloud.client.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';
import { CloudSteps } from './cloud.steps.js';
import { federatedToken } from './google.federation.js';
import { GoogleFile } from './google.file.js';
import { serviceAccountToken, userToken } from './google.keys.js';
import { metadataToken } from './google.metadata.js';
import type { GoogleRequest, GoogleToken } from './google.token.js';

/** Hosts of Artifact Registry and of Container Registry, which it replaced. */
const registryHost = /^([a-z0-9-]+\.)?gcr\.io$|^[a-z0-9-]+\.pkg\.dev$/;

/** Access tokens of Google, which are valid for up to one hour. */
export class GoogleSource implements CredentialSource {
  readonly kind = 'google';
  private readonly steps: CloudSteps;

  constructor(
    private readonly settings: GoogleSettings,
    private readonly context: SourceContext,
    client = new CloudClient(),
  ) {
    this.steps = new CloudSteps(client, context.clock);
  }

  async mark(): Promise<string> {
    const file = this.file();
    return file === undefined ? '' : markOf(file);
  }

  async fetch(signal: AbortSignal): Promise<UpstreamCredentials> {
    this.checkHost();
    const { scopes, tokenHosts, serviceAccount } = this.settings;
    const request: GoogleRequest = { steps: this.steps, clock: this.context.clock, scopes, tokenHosts, signal };
    const file = this.file();
    const { token, expiresAt, identity } =
      file === undefined
        ? await metadataToken(googleEnvironment().metadataHost, serviceAccount, request)
        : await fileToken(await GoogleFile.read(file), request);
    return { username: 'oauth2accesstoken', password: new Secret(token), kind: 'password', expiresAt, identity };
  }

  /** A named account is one of the metadata server. */
  private file(): string | undefined {
    const { file, serviceAccount } = this.settings;
    return file ?? (serviceAccount === undefined ? googleEnvironment().file : undefined);
  }

  /** An access token opens more than a registry. */
  private checkHost(): void {
    const { host, base } = this.context;
    const isGoogle = base.protocol === 'https:' && registryHost.test(base.host);
    if (isGoogle || this.settings.registryHosts.some((name) => name === host || name === base.host)) return;
    throw new CredentialError(
      `google gives access tokens to *.pkg.dev and gcr.io only, over https: add ${host} to registry_hosts if it may receive them`,
    );
  }
}

async function fileToken(file: GoogleFile, request: GoogleRequest): Promise<GoogleToken> {
  const type = file.get('type');
  if (type === 'service_account') return serviceAccountToken(file, request);
  if (type === 'external_account') return federatedToken(file, request);
  if (type === 'authorized_user') return userToken(file, request);
  throw new CredentialError(
    `type of ${file.path} must be service_account, external_account or authorized_user; use the helper source with docker-credential-gcr for others`,
  );
}
