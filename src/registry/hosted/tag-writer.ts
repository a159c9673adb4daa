import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { matchesPattern } from '../../oci/patterns/pattern.js';
import type { Digest } from '../../oci/digest.js';
import { matchesEntityTag } from '../../oci/entity-tag.js';
import { OciError } from '../../oci/error.js';
import type { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HostedStore, type HostedManifest, type HostedTag } from '../../storage/stores/hosted/hosted.store.js';
import { keys } from '../../storage/keys.js';
import { LinkStore } from '../../storage/stores/hosted/link.store.js';
import { KeepRules } from './garbage/keep.rules.js';
import { RenewalsService } from './garbage/renewals.service.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { GarbageLock } from './locks/garbage.lock.js';
import { TagLock } from './locks/tag.lock.js';

/** If-Match and If-None-Match of a request (RFC 9110 §13.1). */
export interface Preconditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

const none: Preconditions = {};

/** @param current what the conditions are about, if it exists. @throws OciError PRECONDITION_FAILED */
export function assertHolds({ ifMatch, ifNoneMatch }: Preconditions, current: Digest | undefined): void {
  const isMatch = (header: string) => current !== undefined && matchesEntityTag(header, current);
  if (ifMatch !== undefined && !isMatch(ifMatch)) throw new OciError('PRECONDITION_FAILED');
  if (ifNoneMatch !== undefined && isMatch(ifNoneMatch)) throw new OciError('PRECONDITION_FAILED');
}

/** Whether there is anything for `assertHolds` to look at. */
export function areConditional({ ifMatch, ifNoneMatch }: Preconditions): boolean {
  return ifMatch !== undefined || ifNoneMatch !== undefined;
}

/** Moves tags of hosted repositories, unless they are immutable or a precondition fails. */
@Injectable()
export class TagWriter {
  constructor(
    private readonly store: HostedStore,
    private readonly namespaces: HostedNamespaces,
    private readonly lock: TagLock,
    private readonly renewals: RenewalsService,
    private readonly garbage: GarbageLock,
    private readonly links: LinkStore,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * Whether a tag may name the manifest.
   * @throws OciError DENIED for an immutable tag that names another; PRECONDITION_FAILED
   */
  async check(repository: RepositoryRef, tag: Tag, digest: Digest, conditions = none): Promise<void> {
    if (!areConditional(conditions) && !this.isImmutable(repository, tag)) return;
    this.compare(repository, tag, digest, await this.store.findTag(repository, tag), conditions);
  }

  /** Lets a tag name a recorded manifest. @throws OciError as `check` */
  async write(
    repository: RepositoryRef,
    tag: Tag,
    digest: Digest,
    manifest: HostedManifest,
    conditions = none,
  ): Promise<void> {
    const isConditional = areConditional(conditions);
    const target: HostedTag = { ...manifest, digest, pushedAt: this.clock.now() };
    await this.lock.run(repository, tag, isConditional, async () => {
      const mayReplace = !isConditional && !this.isImmutable(repository, tag);
      if (mayReplace && !this.losesUntagged(repository)) return this.store.putTag(repository, tag, target);
      const current = await this.store.findTag(repository, tag);
      this.compare(repository, tag, digest, current, conditions);
      await this.keepUntagged(repository, current);
      if (current || (await this.store.createTag(repository, tag, target))) {
        if (current) await this.store.putTag(repository, tag, target);
        return;
      }
      // Another process has just created it, or an object that is no tag of this repository is in its place.
      this.compare(repository, tag, digest, await this.store.findTag(repository, tag), conditions);
      return this.store.putTag(repository, tag, target);
    });
    await this.assertKept(repository, tag, target);
  }

  /** Another process that was removing the tag as no longer kept may have decided so before this push. */
  private async assertKept(repository: RepositoryRef, tag: Tag, target: HostedTag): Promise<void> {
    if (this.store.isCached || !this.keepRulesOf(repository).matches(tag.name)) return;
    await this.garbage.settled(repository);
    if (!(await this.store.findTag(repository, tag))) await this.store.createTag(repository, tag, target);
  }

  /**
   * Removes a tag that no rule keeps, by the process that holds the repository's garbage lock.
   * @param isStill decides once more, by the digest that the tag names and when it was pushed. @returns whether it is gone
   */
  collect(
    repository: RepositoryRef,
    tag: Tag,
    isStill: (digest: string, pushedAt: number) => Promise<boolean>,
  ): Promise<boolean> {
    return this.lock.run(repository, tag, false, async () => {
      const current = await this.store.findTag(repository, tag);
      if (!current || !(await isStill(current.digest.toString(), current.pushedAt))) return false;
      if (!this.keepRulesOf(repository).matches(tag.name)) return false;
      await this.links.renew(keys.manifest(repository, current.digest));
      await this.store.removeTag(repository, tag);
      return true;
    });
  }

  private keepRulesOf({ namespace, name }: RepositoryRef): KeepRules {
    const { keep, immutableTags } = this.namespaces.settingsOf(namespace);
    return KeepRules.of(keep, immutableTags, name);
  }

  /** @throws OciError DENIED when the tag is immutable; PRECONDITION_FAILED */
  async remove(repository: RepositoryRef, tag: Tag, conditions = none): Promise<void> {
    this.assertMutable(repository, tag);
    const isConditional = areConditional(conditions);
    await this.lock.run(repository, tag, isConditional, async () => {
      const mustRead = isConditional || this.losesUntagged(repository);
      const current = mustRead ? await this.store.findTag(repository, tag) : undefined;
      assertHolds(conditions, current?.digest);
      await this.keepUntagged(repository, current);
      await this.store.removeTag(repository, tag);
    });
  }

  /** Removes a tag that goes with its manifest, unless it names another by now. @returns whether it is gone */
  discard(repository: RepositoryRef, tag: Tag, digest: Digest): Promise<boolean> {
    return this.lock.run(repository, tag, false, async () => {
      const current = await this.store.findTag(repository, tag);
      if (current?.digest.equals(digest) !== true) return false;
      await this.store.removeTag(repository, tag);
      return true;
    });
  }

  /** Creates a tag again that a deletion at the same time has removed. One that exists by now stays as it is. */
  async restore(repository: RepositoryRef, tag: Tag, digest: Digest, manifest: HostedManifest): Promise<void> {
    const target: HostedTag = { ...manifest, digest, pushedAt: this.clock.now() };
    await this.lock.run(repository, tag, false, async () => {
      if (!(await this.store.findTag(repository, tag))) await this.store.createTag(repository, tag, target);
    });
  }

  /** The time that a manifest is kept without a tag begins when it loses the tag. */
  private async keepUntagged(repository: RepositoryRef, previous: HostedTag | undefined): Promise<void> {
    if (previous && this.losesUntagged(repository)) await this.renewals.manifest(repository, previous.digest);
  }

  private losesUntagged({ namespace }: RepositoryRef): boolean {
    return this.namespaces.untaggedOf(namespace) !== undefined;
  }

  /** @throws OciError DENIED when the tag is immutable */
  assertMutable(repository: RepositoryRef, tag: Tag): void {
    if (this.isImmutable(repository, tag)) throw immutable(repository, tag);
  }

  private isImmutable({ namespace }: RepositoryRef, tag: Tag): boolean {
    return this.namespaces.settingsOf(namespace).immutableTags.some((pattern) => matchesPattern(pattern, tag.name));
  }

  private compare(
    repository: RepositoryRef,
    tag: Tag,
    digest: Digest,
    current: HostedTag | undefined,
    conditions: Preconditions,
  ): void {
    assertHolds(conditions, current?.digest);
    if (current && !current.digest.equals(digest) && this.isImmutable(repository, tag))
      throw immutable(repository, tag);
  }
}

function immutable(repository: RepositoryRef, tag: Tag): OciError {
  return new OciError('DENIED', `the tag ${repository.toString()}:${tag.name} is immutable`);
}
