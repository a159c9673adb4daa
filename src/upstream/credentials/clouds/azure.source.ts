import type { AzureSettings } from '../../../config/credentials/azure.settings.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';

export class AzureSource implements CredentialSource {
  readonly kind = 'azure';

  constructor(
    private readonly settings: AzureSettings,
    private readonly context: SourceContext,
  ) {}

  fetch(_signal: AbortSignal): Promise<UpstreamCredentials | undefined> {
    const { constructor } = this.settings;
    return Promise.reject(new CredentialError(`${constructor.name} cannot be used for ${this.context.host} yet`));
  }
}
