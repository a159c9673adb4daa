import type { GithubAppSettings } from '../../../config/credentials/github-app.settings.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';

export class GithubAppSource implements CredentialSource {
  readonly kind = 'github_app';

  constructor(
    private readonly settings: GithubAppSettings,
    private readonly context: SourceContext,
  ) {}

  fetch(_signal: AbortSignal): Promise<UpstreamCredentials | undefined> {
    const { constructor } = this.settings;
    return Promise.reject(new CredentialError(`${constructor.name} cannot be used for ${this.context.host} yet`));
  }
}
