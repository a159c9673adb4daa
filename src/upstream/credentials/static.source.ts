import type { StaticSettings } from '../../config/credentials/static.settings.js';
import type { CredentialSource, UpstreamCredentials } from './credential.source.js';

/** A user and a password of the upstream file. */
export class StaticSource implements CredentialSource {
  readonly kind = 'static';

  constructor(private readonly settings: StaticSettings) {}

  fetch(): Promise<UpstreamCredentials | undefined> {
    const { username, password } = this.settings;
    if (password === undefined) return Promise.resolve(undefined);
    return Promise.resolve({ username, password, kind: 'password', identity: `user ${username}` });
  }
}
