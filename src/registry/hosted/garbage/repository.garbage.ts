import type { Digest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { HostedStore } from '../../../storage/stores/hosted/hosted.store.js';
import type { Link, LinkStore } from '../../../storage/stores/hosted/link.store.js';
import type { TagLinkStore } from '../../../storage/stores/hosted/tag-link.store.js';
import type { ReferrerStore } from '../../../storage/stores/hosted/referrer.store.js';
import type { GarbageLock } from '../locks/garbage.lock.js';
import { DeadManifests, type DeadManifest, type ManifestNode } from './dead.manifests.js';
import { UnreadableManifest, type GarbageReader } from './garbage.reader.js';

/** Blobs decided about in one run; the next run continues. */
const maxBlobs = 100_000;
/** Manifests of a repository of which none is removed when it has more. */
const maxManifests = 200_000;
/** Records that are removed under one lease. */
const batch = 32;

/** Something that goes, and why. */
export interface Garbage {
  readonly repository: string;
  readonly kind: 'blob' | 'manifest' | 'tag';
  /** Of kind `tag`. */
  readonly tag?: string;
  /** For a tag, of the manifest that it names. */
  readonly digest: string;
  readonly usedAt: Date;
  /** Of the record, in bytes. */
  readonly size: number;
  readonly reason: string;
}

export interface GarbagePlace {
  readonly store: HostedStore;
  readonly links: LinkStore;
  readonly tags: TagLinkStore;
  readonly referrers: ReferrerStore;
  readonly reader: GarbageReader;
  readonly lock: GarbageLock;
  /** Whether this process is using it. */
  readonly isHeld: (digest: Digest) => boolean;
  /** Called for each object; throws to end the run. */
  readonly step: () => Promise<void>;
  /** Called for what was removed, or would be. */
  readonly report: (garbage: Garbage) => Promise<void> | void;
}

export interface GarbagePlan {
  /** The wall clock. */
  readonly now: number;
  /** Milliseconds. */
  readonly grace: number;
  /** Milliseconds that manifests without a tag are kept; undefined: for ever. */
  readonly untagged: number | undefined;
  readonly isDryRun: boolean;
  /** When a use was last not recorded, on the wall clock. */
  readonly usesLostAt: number;
}

/**
 * Removes the garbage of one hosted repository while clients push. Candidates are listed first, then everything that names
 * them is read, and each is looked at again before it goes: a push renews what it relies on.
 */
export class RepositoryGarbage {
  /** Manifests that would be removed. */
  private readonly gone = new Set<string>();

  constructor(
    private readonly place: GarbagePlace,
    private readonly plan: GarbagePlan,
    private readonly repository: RepositoryRef,
  ) {}

  /** @throws UnreadableManifest, StorageError when it is unknown what is garbage; nothing more is removed then */
  async collect(): Promise<void> {
    const { links } = this.place;
    const blobs = await this.oldBlobs();
    if (this.plan.untagged !== undefined) await this.collectManifests(this.plan.untagged);
    if (blobs.size === 0) return;
    for await (const { digest } of links.manifests(this.repository)) {
      await this.place.step();
      if (this.gone.has(digest.toString())) continue;
      const named = await this.place.reader.find(this.repository, digest);
      for (const one of named?.all ?? []) blobs.delete(one);
    }
    await this.assertSound();
    const rest = [...blobs.values()];
    for (let done = 0; done < rest.length; done += batch) await this.removeBlobs(rest.slice(done, done + batch));
  }

  private async oldBlobs(): Promise<Map<string, Link>> {
    const found = new Map<string, Link>();
    for await (const link of this.place.links.blobs(this.repository)) {
      await this.place.step();
      if (this.isOld(link) && found.size < maxBlobs) found.set(link.digest.toString(), link);
    }
    return found;
  }

  private async collectManifests(untagged: number): Promise<void> {
    const { links, reader } = this.place;
    const all: Link[] = [];
    for await (const link of links.manifests(this.repository)) {
      await this.place.step();
      if (all.push(link) > maxManifests) throw new Error(`the repository has more than ${maxManifests} manifests`);
    }
    if (!all.some((link) => this.isOld(link))) return;
    // Manifests first: one that was there before its tag was removed is found by its tag or is new.
    const nodes = new Map<string, Omit<ManifestNode, 'isTagged'>>();
    for (const link of all) {
      await this.place.step();
      const named = await reader.find(this.repository, link.digest);
      if (!named) continue;
      const isOld = this.isOld(link);
      const isExpired = isOld && this.ageOf(link) > untagged;
      nodes.set(link.digest.toString(), { link, children: named.children, subject: named.subject, isOld, isExpired });
    }
    const tagged = new Set<string>();
    for await (const { digest } of this.place.tags.list(this.repository)) {
      await this.place.step();
      tagged.add(digest.toString());
    }
    await this.assertSound();
    const decided = new Map([...nodes].map(([digest, node]) => [digest, { ...node, isTagged: tagged.has(digest) }]));
    const dead = new DeadManifests(decided);
    for (let some = dead.next(batch); some.length > 0; some = dead.next(batch)) await this.removeManifests(dead, some);
  }

  /** What a record said that was set aside is unknown. */
  private async assertSound(): Promise<void> {
    const damaged = await this.place.links.findDamaged(this.repository);
    if (damaged !== undefined) throw new UnreadableManifest(`the record ${damaged} was damaged`);
  }

  private removeManifests(dead: DeadManifests, some: readonly DeadManifest[]): Promise<void> {
    const { store, referrers } = this.place;
    return this.locked(async (hasTime) => {
      for (const manifest of some) {
        const { node, subject } = manifest;
        const { link } = node;
        const reason = subject === undefined ? 'no tag and no index has it' : `its subject ${subject} goes`;
        const isGone = await this.remove('manifest', link, reason, hasTime, async () => {
          const record = await store.findManifest(this.repository, link.digest);
          if (record?.subject) await referrers.remove(this.repository, record.subject, link.digest);
          await store.removeManifest(this.repository, link.digest);
        });
        if (isGone) dead.remove(manifest);
      }
    });
  }

  private removeBlobs(some: readonly Link[]): Promise<void> {
    return this.locked(async (hasTime) => {
      for (const link of some) {
        await this.remove('blob', link, 'no manifest names it', hasTime, () =>
          this.place.store.removeBlob(this.repository, link.digest),
        );
      }
    });
  }

  private async locked(action: (hasTime: () => boolean) => Promise<void>): Promise<void> {
    await this.place.step();
    return this.plan.isDryRun ? action(() => true) : this.place.lock.run(this.repository, action);
  }

  /** @returns whether it is gone, or would be */
  private async remove(
    kind: Garbage['kind'],
    { key, digest }: Link,
    reason: string,
    hasTime: () => boolean,
    removal: () => Promise<void>,
  ): Promise<boolean> {
    const entry = await this.place.links.lastUse(key);
    if (!entry || !this.isOld(entry) || this.place.isHeld(digest) || !hasTime()) return false;
    if (!this.plan.isDryRun) await removal();
    else if (kind === 'manifest') this.gone.add(digest.toString());
    const { usedAt, size } = entry;
    const repository = this.repository.toString();
    await this.place.report({ repository, kind, digest: digest.toString(), usedAt, size, reason });
    return true;
  }

  private isOld(entry: { readonly usedAt: Date }): boolean {
    return this.ageOf(entry) > this.plan.grace;
  }

  private ageOf({ usedAt }: { readonly usedAt: Date }): number {
    return this.plan.now - usedAt.getTime();
  }
}
