import type { DockerConfigSettings } from '../../../config/credentials/docker-config.settings.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';

export class DockerConfigSource implements CredentialSource {
  readonly kind = 'docker_config';

  constructor(
    private readonly settings: DockerConfigSettings,
    private readonly context: SourceContext,
  ) {}

  fetch(_signal: AbortSignal): Promise<UpstreamCredentials | undefined> {
    const { constructor } = this.settings;
    return Promise.reject(new CredentialError(`${constructor.name} cannot be used for ${this.context.host} yet`));
  }
}
