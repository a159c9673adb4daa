import { SignJWT } from 'jose';
import { type GithubAppSettings, githubApi } from '../../../config/credentials/github-app.settings.js';
import { markOf } from '../../../config/files/regular.file.js';
import { Secret } from '../../../config/values/secret.js';
import { CloudClient } from '../cloud.client.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';
import { readCredentialFile, rsaKeyOf } from './cloud.files.js';
import { endAt, tokenOf } from './cloud.results.js';
import { CloudSteps, type Step } from './cloud.steps.js';

/** Seconds before now at which an assertion begins, for clocks that are behind; GitHub recommends these. */
const leeway = 60;
/** Seconds for which an assertion is valid; GitHub accepts 600 from its own now on. */
const lifetime = 300;

/**
 * Installation tokens of a GitHub App, which are valid for one hour
 * (docs.github.com, "Generating an installation access token for a GitHub App").
 */
export class GithubAppSource implements CredentialSource {
  readonly kind = 'github_app';
  private readonly steps: CloudSteps;

  constructor(
    private readonly settings: GithubAppSettings,
    private readonly context: SourceContext,
    client = new CloudClient(),
  ) {
    this.steps = new CloudSteps(client, context.clock);
  }

  mark(): Promise<string> {
    return markOf(this.settings.privateKeyFile);
  }

  async fetch(signal: AbortSignal): Promise<UpstreamCredentials> {
    this.checkHost();
    const { appId, owner } = this.settings;
    const headers = await this.headers();
    const installation = this.settings.installationId ?? (await this.findInstallation(headers, signal));
    const step: Step = {
      name: `the token request for installation ${installation} of the GitHub App ${appId}`,
      method: 'POST',
      url: this.url(`app/installations/${installation}/access_tokens`),
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ permissions: { packages: 'read' } }),
      fields: { token: 'value', expires_at: 'value' },
      advise: (status) => this.advise(status),
    };
    const result = await this.steps.run(step, signal);
    return {
      username: 'x-access-token',
      password: new Secret(tokenOf(result, 'token', step)),
      kind: 'password',
      expiresAt: endAt(result, 'expires_at', step, this.context.clock.now()),
      identity: `GitHub App ${appId}, installation ${installation}${owner === undefined ? '' : ` of ${owner}`}`,
    };
  }

  /** A token of github.com is worth nothing elsewhere, except to who receives it. */
  private checkHost(): void {
    const { host, base } = this.context;
    if (this.settings.apiUrl !== githubApi || base.origin === 'https://ghcr.io') return;
    throw new CredentialError(
      `github_app gives tokens of github.com to https://ghcr.io only, not to ${host}: set api_url for GitHub Enterprise`,
    );
  }

  private async findInstallation(headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string> {
    const { appId, owner = '' } = this.settings;
    const find = async (kind: string): Promise<string | undefined> => {
      const step: Step = {
        name: `the search for the installation of the GitHub App ${appId} for ${owner}`,
        method: 'GET',
        url: this.url(`${kind}/${owner}/installation`),
        headers,
        fields: { id: 'value' },
        advise: (status) => this.advise(status),
      };
      const result = await this.steps.find(step, signal);
      if (result === undefined) return undefined;
      const { id } = result.fields;
      if (typeof id === 'number' && Number.isSafeInteger(id) && id > 0) return String(id);
      throw new CredentialError(`${step.name} failed: the response of ${step.url.host} has no usable id`);
    };
    const found = (await find('orgs')) ?? (await find('users'));
    if (found !== undefined) return found;
    throw new CredentialError(`the GitHub App ${appId} is not installed for ${owner}: install it, or correct owner`);
  }

  private async headers(): Promise<Readonly<Record<string, string>>> {
    const { appId, privateKeyFile: file } = this.settings;
    const key = rsaKeyOf(await readCredentialFile(file, 'the private key file'), `the private key file ${file}`);
    const now = Math.floor(this.context.clock.now() / 1000);
    const assertion = await new SignJWT()
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .setIssuer(appId)
      .setIssuedAt(now - leeway)
      .setExpirationTime(now + lifetime)
      .sign(key);
    return {
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${assertion}`,
      'x-github-api-version': '2022-11-28',
    };
  }

  private url(path: string): URL {
    return new URL(`${this.settings.apiUrl.replace(/\/$/, '')}/${path}`);
  }

  private advise(status: number | undefined): string | undefined {
    if (status === 401) return 'check that app_id and private_key_file belong to the same app, and the clock';
    if (status === 403) return 'the installation may be suspended, or the API may be rate-limited';
    if (status === 404) return 'check installation_id, app_id and api_url';
    if (status === 422) return 'grant the app the permission "Packages: read" and accept it for the installation';
    return undefined;
  }
}
