import type { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../../storage/keys.js';
import type { LinkStore } from '../../../storage/stores/hosted/link.store.js';
import type { TagLink, TagLinkStore } from '../../../storage/stores/hosted/tag-link.store.js';
import type { GarbageLock } from '../locks/garbage.lock.js';
import type { TagWriter } from '../tag-writer.js';
import { subjectOf, type DatedTag, type KeepRules, type UnkeptTag } from './keep.rules.js';
import type { Garbage, GarbagePlan } from './repository.garbage.js';

/** Tags of a repository of which none is removed when it has more. */
const maxTags = 200_000;
/** Tags that are removed under one lease. */
const batch = 32;

export interface TagPlace {
  readonly tags: TagLinkStore;
  readonly links: LinkStore;
  readonly writer: TagWriter;
  readonly lock: GarbageLock;
  /** Called for each object; throws to end the run. */
  readonly step: () => Promise<void>;
  /** Called for what was removed, or would be. */
  readonly report: (garbage: Garbage) => Promise<void> | void;
}

interface ListedTag extends DatedTag {
  readonly link: TagLink;
}

/** Removes the tags of one hosted repository that no rule keeps, while clients push. Each is looked at again before it goes. */
export class TagGarbage {
  constructor(
    private readonly place: TagPlace,
    private readonly plan: Pick<GarbagePlan, 'now' | 'grace' | 'isDryRun' | 'usesLostAt'>,
    private readonly repository: RepositoryRef,
    private readonly rules: KeepRules,
  ) {}

  /** @throws Error, StorageError when the tags, or their uses, cannot be told; nothing more is removed then */
  async collect(): Promise<void> {
    const tags = await this.list();
    if (this.findUnkept(tags).length === 0) return;
    // Reading the uses of manifests only keeps more.
    const unkept = this.findUnkept(await this.withManifests(tags));
    for (let done = 0; done < unkept.length; done += batch) await this.remove(unkept.slice(done, done + batch));
  }

  private async list(): Promise<ListedTag[]> {
    const tags: ListedTag[] = [];
    for await (const link of this.place.tags.list(this.repository)) {
      await this.place.step();
      const { tag, pushedAt, usedAt } = link;
      const listed = {
        name: tag.name,
        pushedAt,
        usedAt: Math.max(pushedAt, usedAt.getTime(), this.plan.usesLostAt),
        link,
      };
      if (tags.push(listed) > maxTags) throw new Error(`the repository has more than ${maxTags} tags`);
    }
    return tags;
  }

  private findUnkept(tags: readonly ListedTag[]): UnkeptTag<ListedTag>[] {
    const { now, grace } = this.plan;
    return this.rules.findUnkept(tags, now).filter(({ tag }) => now - tag.usedAt > grace);
  }

  /** A pull by digest is a use of the tag too. Without the tags that belong to a manifest of the repository. */
  private async withManifests(tags: readonly ListedTag[]): Promise<ListedTag[]> {
    const used = new Map<string, number>();
    for await (const { digest, usedAt } of this.place.links.manifests(this.repository)) {
      await this.place.step();
      used.set(digest.toString(), usedAt.getTime());
    }
    return tags
      .filter(({ name }) => !used.has(subjectOf(name) ?? ''))
      .map((tag) => ({ ...tag, usedAt: Math.max(tag.usedAt, used.get(tag.link.digest.toString()) ?? 0) }));
  }

  private async remove(some: readonly UnkeptTag<ListedTag>[]): Promise<void> {
    const { lock, writer, step } = this.place;
    await step();
    if (this.plan.isDryRun) {
      for (const unkept of some) await this.report(unkept);
      return;
    }
    await lock.run(this.repository, async (hasTime) => {
      for (const unkept of some) {
        const { link } = unkept.tag;
        const isStill = async (digest: string, pushedAt: number) =>
          digest === link.digest.toString() &&
          pushedAt === link.pushedAt &&
          (await this.isUnused(unkept.tag)) &&
          hasTime();
        if (await writer.collect(this.repository, link.tag, isStill)) await this.report(unkept);
      }
    });
  }

  /** Whether neither the tag nor its manifest was used since they were listed. */
  private async isUnused({ link, usedAt }: ListedTag): Promise<boolean> {
    const { links } = this.place;
    const manifest = keys.manifest(this.repository, link.digest);
    const entries = await Promise.all([links.lastUse(link.key), links.lastUse(manifest)]);
    return entries.every((entry) => entry === undefined || entry.usedAt.getTime() <= usedAt);
  }

  private async report({ tag: { link, usedAt }, reason }: UnkeptTag<ListedTag>): Promise<void> {
    const repository = this.repository.toString();
    const digest = link.digest.toString();
    const { size, tag } = link;
    await this.place.report({ repository, kind: 'tag', tag: tag.name, digest, usedAt: new Date(usedAt), size, reason });
  }
}
