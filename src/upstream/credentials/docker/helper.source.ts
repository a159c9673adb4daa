import type { HelperSettings } from '../../../config/credentials/helper.settings.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';

export class HelperSource implements CredentialSource {
  readonly kind = 'helper';

  constructor(
    private readonly settings: HelperSettings,
    private readonly context: SourceContext,
  ) {}

  fetch(_signal: AbortSignal): Promise<UpstreamCredentials | undefined> {
    const { constructor } = this.settings;
    return Promise.reject(new CredentialError(`${constructor.name} cannot be used for ${this.context.host} yet`));
  }
}
