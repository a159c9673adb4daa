import { IsOptional } from 'class-validator';
import { IsText } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import type { CheckedOptions } from './checked-options.js';
import { IsApiUrl, IsMatching, type Mistake } from './cloud.rules.js';

/** Numbers in a file are read as text. */
const asText = (text: string): string => text;

/** Default of `api_url`. */
export const githubApi = 'https://api.github.com';

/** `github_app`: the container registry of GitHub, with an installation of a GitHub App. */
export class GithubAppSettings implements CheckedOptions {
  @Setting({ name: 'app_id', parse: asText, description: 'ID or client ID of the app' })
  @IsMatching(/^[A-Za-z0-9._-]{1,64}$/, 'the ID of an app, such as 12345, or its client ID')
  appId!: string;

  @Setting({
    name: 'installation_id',
    parse: asText,
    description: 'ID of the installation; found by owner unless set',
  })
  @IsOptional()
  @IsMatching(/^[1-9][0-9]{0,18}$/, 'the number of an installation')
  installationId?: string;

  @Setting({
    name: 'owner',
    description: 'organization or user that the app is installed for, in place of installation_id',
  })
  @IsOptional()
  @IsMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,99}$/, 'the name of an organization or a user')
  owner?: string;

  @Setting({
    name: 'private_key_file',
    description: 'PEM file with the private key of the app; read again when it changes',
  })
  @IsText('the path of a file', 4096)
  privateKeyFile!: string;

  @Setting({
    name: 'api_url',
    default: githubApi,
    description:
      'URL of the API: https://HOST/api/v3 for GitHub Enterprise Server, https://api.NAME.ghe.com for GitHub Enterprise Cloud with data residency',
  })
  @IsApiUrl()
  apiUrl = githubApi;

  mistakes(): readonly Mistake[] {
    if ((this.installationId === undefined) !== (this.owner === undefined)) return [];
    const isBoth = this.owner !== undefined;
    const reason = isBoth ? 'must not be set together with owner' : 'must be set, unless owner is';
    return [{ name: 'installation_id', kind: isBoth ? 'text' : 'missing', reason }];
  }
}
