import { AzureSettings } from './azure.settings.js';
import { DockerConfigSettings } from './docker-config.settings.js';
import { EcrSettings } from './ecr.settings.js';
import { GithubAppSettings } from './github-app.settings.js';
import { GoogleSettings } from './google.settings.js';
import { HelperSettings } from './helper.settings.js';
import { StaticSettings } from './static.settings.js';

/** The settings of each source of credentials, by its key in the upstream file. */
export const sourceSettings = {
  static: StaticSettings,
  docker_config: DockerConfigSettings,
  helper: HelperSettings,
  ecr: EcrSettings,
  google: GoogleSettings,
  azure: AzureSettings,
  github_app: GithubAppSettings,
} as const;

export type SourceKind = keyof typeof sourceSettings;

/** The options of one kind of source. */
export type OptionsOf<K extends SourceKind> = InstanceType<(typeof sourceSettings)[K]>;

/** One entry of `credentials`: a source and the repositories that it is for. */
export type CredentialSettings = {
  [K in SourceKind]: {
    readonly kind: K;
    readonly options: OptionsOf<K>;
    /** Patterns of names within the namespace; empty for all that no other entry is for. */
    readonly repositories: readonly string[];
  };
}[SourceKind];
