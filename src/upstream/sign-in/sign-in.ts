import type { CredentialSet, SignedIn } from '../credentials/credential.set.js';
import type { UpstreamCredentials } from '../credentials/credential.source.js';
import type { CredentialState } from './credential-state.js';

/** The credentials of one request. They are fetched when the registry asks for them, not before. */
export class SignIn {
  private signedIn: SignedIn | undefined;

  /** @param set undefined for anonymous access. @param repository by its name at the registry */
  constructor(
    private readonly set: CredentialSet | undefined,
    private readonly repository: string,
  ) {}

  /** @throws CredentialsUnavailableError */
  async credentials(): Promise<UpstreamCredentials | undefined> {
    if (!this.set) return undefined;
    this.signedIn ??= await this.set.signIn(this.repository);
    return this.signedIn.credentials;
  }

  /** Those that `credentials` gave last. */
  get used(): UpstreamCredentials | undefined {
    return this.signedIn?.credentials;
  }

  /** Part of every cache key that depends on credentials, after `credentials`. */
  get key(): string {
    return this.signedIn?.key ?? '';
  }

  /** Whether the registry refuses them. */
  get state(): CredentialState | undefined {
    return this.set?.state;
  }

  /** Fetches credentials again that were refused. @returns whether there are others now. Never throws. */
  async renew(): Promise<boolean> {
    if (!this.set || !this.signedIn) return false;
    const isRenewed = await this.set.renew(this.repository, this.signedIn.credentials);
    if (isRenewed) this.signedIn = undefined;
    return isRenewed;
  }
}
