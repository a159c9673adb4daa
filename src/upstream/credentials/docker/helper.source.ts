import type { HelperSettings } from '../../../config/credentials/helper.settings.js';
import { canonicalHost, serverOf } from '../../../config/credentials/docker/registry.key.js';
import type { CredentialSource, SourceContext, UpstreamCredentials } from '../credential.source.js';
import { Helper } from './helper.js';

/** A program of the upstream file that speaks the protocol of Docker's credential helpers. */
export class HelperSource implements CredentialSource {
  readonly kind = 'helper';
  private readonly helper: Helper;
  private readonly server: string;

  /** @param limit milliseconds that the program may take; shorter in tests. */
  constructor({ name, server }: HelperSettings, { host }: SourceContext, limit?: number) {
    this.helper = new Helper(name, limit);
    this.server = server ?? serverOf(canonicalHost(host) ?? host);
  }

  fetch(signal: AbortSignal): Promise<UpstreamCredentials | undefined> {
    return this.helper.get(this.server, signal);
  }
}
