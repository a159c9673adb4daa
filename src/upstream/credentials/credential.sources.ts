import type { CredentialSettings } from '../../config/credentials/credential.settings.js';
import type { CredentialSource, SourceContext } from './credential.source.js';

/** Makes the source of an entry of `credentials`. Only the code of this source is loaded. */
export async function makeSource(settings: CredentialSettings, context: SourceContext): Promise<CredentialSource> {
  switch (settings.kind) {
    case 'static': {
      const { StaticSource } = await import('./static.source.js');
      return new StaticSource(settings.options);
    }
    case 'docker_config': {
      const { DockerConfigSource } = await import('./docker/docker-config.source.js');
      return new DockerConfigSource(settings.options, context);
    }
    case 'helper': {
      const { HelperSource } = await import('./docker/helper.source.js');
      return new HelperSource(settings.options, context);
    }
    case 'ecr': {
      const { EcrSource } = await import('./aws/ecr.source.js');
      return new EcrSource(settings.options, context);
    }
    case 'google': {
      const { GoogleSource } = await import('./clouds/google.source.js');
      return new GoogleSource(settings.options, context);
    }
    case 'azure': {
      const { AzureSource } = await import('./clouds/azure.source.js');
      return new AzureSource(settings.options, context);
    }
    case 'github_app': {
      const { GithubAppSource } = await import('./clouds/github-app.source.js');
      return new GithubAppSource(settings.options, context);
    }
  }
}
