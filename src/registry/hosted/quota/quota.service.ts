import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../../config/clock/clock.js';
import { hostedSettings } from '../../../config/config.module.js';
import type { HostedSettings } from '../../../config/hosted/hosted.settings.js';
import { sizeText } from '../../../config/values/size.js';
import type { Digest } from '../../../oci/digest.js';
import { OciError } from '../../../oci/error.js';
import { Namespace } from '../../../oci/namespace.js';
import { RepositoryPattern } from '../../../oci/patterns/repository-pattern.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { MaintenanceCounts } from '../../../storage/space/maintenance.counts.js';
import { HostedStore } from '../../../storage/stores/hosted/hosted.store.js';
import { StoredObjects } from '../../../storage/stores/stored.objects.js';
import { reasonOf } from '../../response-error.js';
import { NamespaceQuota } from './namespace.quota.js';
import { QuotaCount } from './quota.count.js';

/** A limit as statistics show it. */
export interface QuotaUsage {
  readonly namespace: string;
  /** Pattern of the names that it is for, as configured; `**` for the whole namespace. */
  readonly repositories: string;
  /** In bytes; undefined until everything has been counted once. */
  readonly used: number | undefined;
  readonly limit: number;
}

/** A push does not fit. */
export class QuotaExceeded extends OciError {
  constructor(namespace: string, { repositories, used, limit }: QuotaCount, bytes: number) {
    const name = `${namespace}/${repositories}`;
    const detail = { repositories: name, used, limit, requested: bytes };
    const room = `${sizeText(used)} of ${sizeText(limit)} are used`;
    // Of what has just begun nothing is known but that it takes a byte.
    const need = bytes > 1 ? `, and ${sizeText(bytes)} more do not fit` : '';
    super('DENIED', `the quota of ${name} is exceeded: ${room}${need}`, { detail });
  }
}

/** What hosted namespaces, and repositories in them, may hold (`max_size`, `quotas`). */
@Injectable()
export class QuotaService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Quota');
  private readonly stopped = new AbortController();
  private quotas: ReadonlyMap<string, NamespaceQuota>;
  private readonly sweeps: () => number;

  constructor(
    @Inject(hostedSettings) settings: readonly HostedSettings[],
    private readonly store: HostedStore,
    private readonly objects: StoredObjects,
    { sweeps }: MaintenanceCounts,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.sweeps = () => sweeps.done;
    this.quotas = this.quotasOf(settings);
  }

  /** Follows the upstream file. Where only limits differ, what has been counted stays. */
  replace(settings: readonly HostedSettings[]): void {
    const before = this.quotas;
    this.quotas = this.quotasOf(settings, before);
    for (const [name, quota] of this.quotas) if (before.get(name) !== quota) void quota.recount();
  }

  private quotasOf(
    settings: readonly HostedSettings[],
    known?: ReadonlyMap<string, NamespaceQuota>,
  ): ReadonlyMap<string, NamespaceQuota> {
    const limited = settings.filter((entry) => countsOf(entry).length > 0);
    return new Map(
      limited.map((entry) => {
        const namespace = Namespace.parse(entry.namespace);
        const counts = countsOf(entry);
        const quota = known?.get(namespace.toString());
        return [namespace.toString(), quota?.adopt(counts) === true ? quota : this.open(namespace, counts)];
      }),
    );
  }

  private open(namespace: Namespace, counts: readonly QuotaCount[]): NamespaceQuota {
    const report = (error: unknown) => {
      if (this.stopped.signal.aborted) return;
      this.logger.warn(`could not count what ${namespace.toString()} holds: ${reasonOf(error)}`);
    };
    return new NamespaceQuota(namespace, counts, this.objects, this.clock, this.sweeps, report, this.stopped.signal);
  }

  onApplicationBootstrap(): void {
    for (const quota of this.quotas.values()) void quota.recount();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped.abort(new Error('the server is shutting down'));
    await Promise.all([...this.quotas.values()].map((quota) => quota.settled()));
  }

  /** Every limit, in the order of the configuration. */
  get all(): QuotaUsage[] {
    return [...this.quotas].flatMap(([namespace, quota]) => {
      if (quota.isSwept) void quota.recount();
      return quota.counts.map(({ repositories, used, limit }) => {
        return { namespace, repositories, used: quota.isCounted ? used : undefined, limit };
      });
    });
  }

  /**
   * To be called when an upload begins and while its bytes arrive, and before a manifest is looked at.
   * @param bytes of the content so far, or in all when that is known.
   * @param digest if it is known: content that the repositories have already always fits.
   * @returns undefined where nothing limits it. @throws QuotaExceeded
   */
  check(repository: RepositoryRef, bytes: number, digest?: Digest): Promise<void> | undefined {
    if (this.quotas.size === 0) return undefined;
    const quota = this.quotas.get(repository.namespace.toString());
    return quota && this.fit(quota, quota.of(repository), bytes, digest);
  }

  /**
   * Counts content while an action records it.
   * @param action gives undefined when it has recorded nothing.
   * @throws QuotaExceeded before the action
   */
  async within<T>(
    repository: RepositoryRef,
    digest: Digest,
    size: number,
    action: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const quota = this.quotas.get(repository.namespace.toString());
    if (!quota) return action();
    const counts = quota.of(repository);
    await this.fit(quota, counts, size, digest);
    // Pushes at the same time do not exceed the limit together: nothing comes between this check and the claim.
    assertFits(quota, counts, size, digest);
    for (const count of counts) count.claim(digest, size);
    let isRecorded = false;
    try {
      const result = await action();
      isRecorded = result !== undefined;
      return result;
    } finally {
      for (const count of counts) count.settle(digest, isRecorded);
    }
  }

  /** To be called after a client has deleted a manifest or a blob of the repository. */
  removed(repository: RepositoryRef): void {
    this.quotas.get(repository.namespace.toString())?.noteRemoval();
  }

  private async fit(
    quota: NamespaceQuota,
    counts: readonly QuotaCount[],
    bytes: number,
    digest: Digest | undefined,
  ): Promise<void> {
    if (counts.length === 0) return;
    if (!quota.isCounted) {
      if (quota.isStale) await quota.waitForCount();
    } else if (quota.isSwept || (quota.isStale && !this.store.isCached)) void quota.recount();
    // Others, or a deletion, may have made room.
    if (quota.mayHaveRoom && counts.some((count) => !count.fits(digest, bytes))) await quota.waitForCount();
    assertFits(quota, counts, bytes, digest);
  }
}

function assertFits(
  { name }: NamespaceQuota,
  counts: readonly QuotaCount[],
  bytes: number,
  digest: Digest | undefined,
): void {
  const full = counts.find((count) => !count.fits(digest, bytes));
  if (full) throw new QuotaExceeded(name, full, bytes);
}

/** The namespace's own limit comes last: a narrower one tells more. */
function countsOf({ namespace, maxSize, quotas }: HostedSettings): QuotaCount[] {
  const patterns = quotas.map(({ repositories, maxSize: limit }) => ({ repositories, limit }));
  const all = [...patterns, ...(maxSize === undefined ? [] : [{ repositories: '**', limit: maxSize }])];
  return all.map(({ repositories, limit }) => {
    return new QuotaCount(RepositoryPattern.parse(`${namespace}/${repositories}`), repositories, limit);
  });
}
