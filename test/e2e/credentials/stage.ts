import { readNamespaces } from '../../../src/config/upstream-file.js';
import { FakeRegistry, type FakeRegistryOptions } from '../../fakes/fake-registry.js';
import { Mirror, type MirrorOptions, type UpstreamOptions } from '../support/mirror.js';

/** An entry of the upstream file, which is JSON and so YAML. */
export type UpstreamEntry = Readonly<Record<string, unknown>>;

/** A registry that knows accounts, and a mirror of it as the upstream file has it. */
export class CredentialStage implements AsyncDisposable {
  private constructor(
    readonly registry: FakeRegistry,
    readonly mirror: Mirror,
  ) {}

  /** @param entry of the upstream file; `namespace` and `host` are those of the registry unless given */
  static async start(
    behaviour: FakeRegistryOptions,
    entry: UpstreamEntry | ((host: string) => Promise<UpstreamEntry>),
    options: MirrorOptions = {},
  ): Promise<CredentialStage> {
    const registry = await FakeRegistry.start({ anonymous: false, ...behaviour });
    const values = typeof entry === 'function' ? await entry(registry.host) : entry;
    return new CredentialStage(registry, await mirrorOf(registry, values, options));
  }

  pull(path: string): Promise<{ status: number; text: string; headers: Record<string, string> }> {
    return this.mirror.request.get(`/v2/registry.test/${path}`).buffer(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.mirror[Symbol.asyncDispose]();
    } finally {
      await this.registry.close();
    }
    if (this.registry.failures.length > 0) throw this.registry.failures[0];
  }
}

export function mirrorOf(registry: FakeRegistry, entry: UpstreamEntry, options: MirrorOptions = {}): Promise<Mirror> {
  const { tokenRealms, redirectHosts } = registry.otherPorts;
  const defaults = { namespace: 'registry.test', host: registry.host, tls: false, tag_ttl: '0s' };
  const known = { token_realms: tokenRealms, redirect_hosts: redirectHosts };
  const { upstreams } = readNamespaces(JSON.stringify([{ ...defaults, ...known, ...entry }]), undefined);
  return Mirror.start({ upstreams: upstreams as UpstreamOptions[], ...options });
}
