import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { StoredObjects } from '../../../storage/stores/stored.objects.js';
import { Pacer } from '../../eviction/pacer.js';
import { Fresh } from './fresh.js';
import { repositoriesOf, type StoredRepository } from './repository.walk.js';
import { byText, sorted } from './sorted.js';
import { Turns } from './turns.js';

/** Most repositories in the list; each costs about 150 bytes. */
const mostListed = 200_000;
/** Milliseconds after the last reader for which the list is kept. */
const keptFor = 600_000;

export interface RepositoryList {
  /** By name. */
  readonly repositories: readonly StoredRepository[];
  /** False when there are more than can be listed. */
  readonly isWhole: boolean;
}

/** The names of all repositories, listed in the background while somebody looks at them, and forgotten afterwards. */
@Injectable()
export class RepositoryIndex implements OnApplicationShutdown {
  private readonly closing = new AbortController();
  private list: Fresh<RepositoryList> | undefined;
  private forgetting: NodeJS.Timeout | undefined;

  constructor(
    private readonly objects: StoredObjects,
    private readonly turns: Turns,
  ) {}

  /** Undefined while the first list is being made. @throws StorageError */
  get(): Promise<RepositoryList | undefined> {
    clearTimeout(this.forgetting);
    this.forgetting = setTimeout(() => (this.list = undefined), keptFor).unref();
    this.list ??= new Fresh(() => this.make());
    return this.list.get();
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.forgetting);
    this.closing.abort();
    await this.list?.settled();
  }

  private async make(): Promise<RepositoryList> {
    const pacer = new Pacer(this.closing.signal);
    const found: StoredRepository[] = [];
    let isWhole = true;
    for await (const repository of repositoriesOf(this.objects.records())) {
      await pacer.step();
      if (found.length === mostListed) {
        isWhole = false;
        break;
      }
      found.push(repository);
    }
    const compare = (one: StoredRepository, other: StoredRepository) => byText(one.repository, other.repository);
    return { repositories: await sorted(found, compare, await this.turns.begin()), isWhole };
  }
}
