import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Semaphore } from '../../../config/concurrency/semaphore.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { TagNameStore, type NamedTag } from '../../../storage/stores/tag-name.store.js';
import { HostedNamespaces } from '../../hosted/hosted-namespaces.js';
import { Fresh } from './fresh.js';
import { byText, sorted } from './sorted.js';
import { Turns } from './turns.js';

/** Most tags in the list of one repository, and in all lists together; each costs about 120 bytes. */
const mostListed = 200_000;
/** Lists in memory. */
const mostLists = 500;
/** Lists that are made at one time. */
const concurrency = 2;
/** Milliseconds after which the lists are forgotten, unless somebody looks at one. */
const keptFor = 600_000;

export interface TagList {
  readonly byName: readonly NamedTag[];
  /** The last used first. */
  readonly byTime: readonly NamedTag[];
  /** False when there are more than can be listed. */
  readonly isWhole: boolean;
}

/** The tags of repositories that somebody looks at, with the time of their last use. */
@Injectable()
export class TagIndex implements OnApplicationShutdown {
  private readonly lists = new LRUCache<string, Fresh<TagList>>({ max: mostLists, maxSize: mostListed + 1 });
  private readonly makers = new Semaphore(concurrency);
  private readonly closing = new AbortController();
  private forgetting: NodeJS.Timeout | undefined;

  constructor(
    private readonly names: TagNameStore,
    private readonly hosted: HostedNamespaces,
    private readonly turns: Turns,
  ) {}

  /** Undefined while the first list is being made. @throws StorageError */
  get(repository: RepositoryRef): Promise<TagList | undefined> {
    clearTimeout(this.forgetting);
    this.forgetting = setTimeout(() => this.lists.clear(), keptFor).unref();
    const key = repository.toString();
    const known = this.lists.get(key);
    if (known) return known.get();
    const list: Fresh<TagList> = new Fresh(async () => {
      const made = await this.makers.run(() => this.make(repository));
      this.lists.set(key, list, { size: made.byName.length + 1 });
      return made;
    });
    this.lists.set(key, list, { size: 1 });
    return list.get();
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.forgetting);
    this.closing.abort();
    await Promise.all([...this.lists.values()].map((list) => list.settled()));
  }

  private async make(repository: RepositoryRef): Promise<TagList> {
    const turn = await this.turns.begin();
    const found: NamedTag[] = [];
    let isWhole = true;
    for await (const tag of this.names.list(repository, this.hosted.has(repository.namespace))) {
      this.closing.signal.throwIfAborted();
      if (turn.isOver) await turn.pause();
      isWhole = found.length < mostListed;
      if (!isWhole) break;
      found.push(tag);
    }
    return {
      byName: await sorted(found, (one, other) => byText(one.name, other.name), turn),
      byTime: await sorted(found, byLastUse, turn),
      isWhole,
    };
  }
}

/** The last used first, and those of one moment by name. */
export function byLastUse(one: NamedTag, other: NamedTag): number {
  return other.usedAt - one.usedAt || byText(one.name, other.name);
}
