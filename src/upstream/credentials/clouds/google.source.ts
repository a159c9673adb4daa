import type { GoogleSettings } from '../../../config/credentials/google.settings.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';

export class GoogleSource implements CredentialSource {
  readonly kind = 'google';

  constructor(
    private readonly settings: GoogleSettings,
    private readonly context: SourceContext,
  ) {}

  fetch(_signal: AbortSignal): Promise<UpstreamCredentials | undefined> {
    const { constructor } = this.settings;
    return Promise.reject(new CredentialError(`${constructor.name} cannot be used for ${this.context.host} yet`));
  }
}
