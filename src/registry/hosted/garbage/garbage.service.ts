import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../../config/clock/clock.js';
import { Namespace } from '../../../oci/namespace.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { MaintenanceCounts } from '../../../storage/space/maintenance.counts.js';
import { CatalogStore } from '../../../storage/stores/hosted/catalog.store.js';
import { HostedStore } from '../../../storage/stores/hosted/hosted.store.js';
import { LinkStore } from '../../../storage/stores/hosted/link.store.js';
import { TagLinkStore } from '../../../storage/stores/hosted/tag-link.store.js';
import { ReferrerStore } from '../../../storage/stores/hosted/referrer.store.js';
import { Pacer } from '../../eviction/pacer.js';
import { UsesService } from '../../eviction/uses.service.js';
import { reasonOf } from '../../response-error.js';
import { HostedNamespaces } from '../hosted-namespaces.js';
import { GarbageLock } from '../locks/garbage.lock.js';
import { TagWriter } from '../tag-writer.js';
import { GarbageReader } from './garbage.reader.js';
import { GarbageTimes } from './garbage.times.js';
import { KeepRules } from './keep.rules.js';
import { TagGarbage, type TagPlace } from './tag.garbage.js';
import { RepositoryGarbage, type Garbage, type GarbagePlace } from './repository.garbage.js';

/** Repositories listed at one time. */
const batch = 500;

export interface GarbageRun {
  readonly isDryRun: boolean;
  /** Space is short. */
  readonly isUrgent?: boolean;
  readonly signal: AbortSignal;
  /** Called for what was removed, or would be. */
  readonly report: (garbage: Garbage) => Promise<void> | void;
}

/** Finds and removes tags that no rule keeps, manifests without a tag for too long, and what no manifest names. */
@Injectable()
export class GarbageService {
  private readonly logger = new Logger('Garbage');

  constructor(
    private readonly namespaces: HostedNamespaces,
    private readonly catalog: CatalogStore,
    private readonly store: HostedStore,
    private readonly links: LinkStore,
    private readonly tags: TagLinkStore,
    private readonly referrers: ReferrerStore,
    private readonly writer: TagWriter,
    private readonly reader: GarbageReader,
    private readonly lock: GarbageLock,
    private readonly uses: UsesService,
    private readonly times: GarbageTimes,
    private readonly maintenance: MaintenanceCounts,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * Goes through all hosted repositories. What fails ends it for one repository and is logged.
   * @returns how many repositories failed. @throws StorageError when the catalog cannot be listed; the signal's reason
   */
  async run({ isDryRun, isUrgent, signal, report }: GarbageRun): Promise<number> {
    const pacer = new Pacer(signal, isUrgent);
    const { garbage } = this.maintenance;
    const counted = (found: Garbage) => {
      if (!isDryRun) garbage[found.kind] += 1;
      return report(found);
    };
    const { store, links, tags, referrers, reader, writer, lock } = this;
    const isHeld: GarbagePlace['isHeld'] = (digest) => this.uses.isHeld(digest);
    const place = {
      store,
      links,
      tags,
      referrers,
      reader,
      writer,
      lock,
      isHeld,
      step: () => pacer.step(),
      report: counted,
    };
    let failed = 0;
    for await (const repository of this.repositories()) {
      await pacer.step();
      try {
        await this.collect(repository, place, isDryRun);
        if (!isDryRun) garbage.done += 1;
      } catch (error) {
        signal.throwIfAborted();
        failed += 1;
        if (!isDryRun) garbage.failed += 1;
        this.logger.warn(`garbage of ${repository.toString()} was not collected: ${reasonOf(error)}`);
      }
    }
    return failed;
  }

  private async collect(repository: RepositoryRef, place: GarbagePlace & TagPlace, isDryRun: boolean): Promise<void> {
    const { untagged, keep, immutableTags } = this.namespaces.settingsOf(repository.namespace);
    const plan = { now: this.clock.now(), grace: this.times.grace, untagged, isDryRun, usesLostAt: this.uses.lostAt };
    const rules = KeepRules.of(keep, immutableTags, repository.name);
    if (!rules.isEmpty) await new TagGarbage(place, plan, repository, rules).collect();
    await new RepositoryGarbage(place, plan, repository).collect();
  }

  private async *repositories(): AsyncGenerator<RepositoryRef> {
    for (const namespace of this.namespaces.names.map((name) => Namespace.parse(name))) {
      let last: string | undefined;
      do {
        const names = await this.catalog.list(namespace, last, batch);
        for (const name of names) yield RepositoryRef.of(namespace, name);
        last = names.length < batch ? undefined : names.at(-1);
      } while (last !== undefined);
    }
  }
}
