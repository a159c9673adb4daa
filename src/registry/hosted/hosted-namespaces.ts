import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { hostedSettings, upstreamSettings } from '../../config/config.module.js';
import { HostedSettings } from '../../config/hosted/hosted.settings.js';
import type { UpstreamSettings } from '../../config/upstream.settings.js';
import { OciError } from '../../oci/error.js';
import { Namespace } from '../../oci/namespace.js';
import { CatalogStore, storedNamespace } from '../../storage/stores/hosted/catalog.store.js';
import { reasonOf } from '../response-error.js';

/** The namespaces that content is pushed to. A namespace is hosted or mirrored, never both. */
@Injectable()
export class HostedNamespaces implements OnApplicationBootstrap {
  private readonly logger = new Logger('Hosted');
  private settings: ReadonlyMap<string, HostedSettings>;
  private upstreams: ReadonlySet<string>;
  /** Namespaces with pushed content that nothing is configured for, as in `StoredRecord`: it is served, nothing is added. */
  private former: ReadonlySet<string> = new Set();
  /** Those that the log has. */
  private warned: ReadonlySet<string> = new Set();

  constructor(
    @Inject(hostedSettings) settings: readonly HostedSettings[],
    @Inject(upstreamSettings) upstreams: readonly UpstreamSettings[],
    private readonly catalog: CatalogStore,
  ) {
    this.settings = settingsByName(settings);
    this.upstreams = storedNames(upstreams);
  }

  /** Content that was pushed under a name is never looked for upstream because a setting was forgotten. */
  async onApplicationBootstrap(): Promise<void> {
    await this.findFormer();
  }

  /** Follows the upstream file. One that goes is read-only at once, and stays so until `findFormer` finds it empty. */
  replace(settings: readonly HostedSettings[], upstreams: readonly UpstreamSettings[]): void {
    const before = [...this.former, ...this.configured];
    this.settings = settingsByName(settings);
    this.upstreams = storedNames(upstreams);
    const known = this.known;
    this.former = new Set(before.filter((name) => !known.has(name)));
  }

  /**
   * Those of the upstreams that have pushed content, which what is pulled would replace in part. At the start it is meant.
   * @throws StorageError
   */
  async withContent(upstreams: readonly UpstreamSettings[]): Promise<string[]> {
    const own = upstreams.map(({ namespace }) => Namespace.parse(namespace)).filter((namespace) => this.has(namespace));
    if (own.length === 0) return [];
    const stored = await this.catalog.namespaces();
    return own.filter((namespace) => stored.has(storedNamespace(namespace))).map((namespace) => namespace.toString());
  }

  /** Looks in the storage for namespaces with pushed content that are not configured. Never rejects. */
  async findFormer(): Promise<void> {
    try {
      const stored = await this.catalog.namespaces();
      const known = this.known;
      this.former = new Set([...stored].filter((name) => !known.has(name)));
    } catch (error) {
      this.logger.warn(`could not list hosted repositories: ${reasonOf(error)}`);
    }
    for (const name of this.former) {
      if (this.warned.has(name)) continue;
      this.logger.warn(`${name} has pushed content and is not configured as hosted: it is served read-only`);
    }
    this.warned = this.former;
  }

  private get known(): ReadonlySet<string> {
    return new Set([...this.configured, ...this.upstreams]);
  }

  /** As in `StoredRecord`. */
  private get configured(): string[] {
    return this.names.map((name) => storedNamespace(Namespace.parse(name)));
  }

  /** Canonical names of those that can be pushed to, in the order of the configuration. */
  get names(): readonly string[] {
    return [...this.settings.keys()];
  }

  has(namespace: Namespace): boolean {
    return this.settings.has(namespace.toString()) || this.isFormer(namespace);
  }

  /** Names with pushed content that are not configured; those that are too long for a key are not known. */
  get formerNames(): readonly string[] {
    return [...this.former].filter((name) => !name.startsWith('_'));
  }

  /** Whether it has pushed content and is not configured. */
  isFormer(namespace: Namespace): boolean {
    return this.former.size > 0 && this.former.has(storedNamespace(namespace));
  }

  /** @throws OciError for a namespace that is not hosted any more */
  settingsOf(namespace: Namespace): HostedSettings {
    const settings = this.settings.get(namespace.toString());
    if (!settings) throw new OciError('UNSUPPORTED', `${namespace.toString()} is not hosted any more`);
    return settings;
  }

  /** Milliseconds that manifests without a tag are kept; undefined: for ever. */
  untaggedOf(namespace: Namespace): number | undefined {
    return this.settings.get(namespace.toString())?.untagged;
  }

  /** Every namespace with pushed content, and every one that is configured, as in `StoredRecord`. @throws StorageError */
  async stored(): Promise<ReadonlySet<string>> {
    return new Set([...this.configured, ...(await this.catalog.namespaces())]);
  }
}

function settingsByName(settings: readonly HostedSettings[]): ReadonlyMap<string, HostedSettings> {
  return new Map(settings.map((entry) => [Namespace.parse(entry.namespace).toString(), entry]));
}

function storedNames(entries: readonly { readonly namespace: string }[]): ReadonlySet<string> {
  return new Set(entries.map(({ namespace }) => storedNamespace(Namespace.parse(namespace))));
}
