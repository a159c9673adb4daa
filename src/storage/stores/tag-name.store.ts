import { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { parseOrderedTag, unescape } from '../key-components.js';
import { keys } from '../keys.js';
import type { SpaceLedger } from '../space/space.ledger.js';
import { orAbsent, StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';
import type { HotCache } from './hot.cache.js';
import { parseRecord } from './record.store.js';

/** Largest record in bytes. */
const maxRecordBytes = 64 * 1024;

/** A tag that a repository may have: only its record says so. */
export interface NamedTag {
  readonly name: string;
  /** When it was last pulled or pushed, to within an hour, in milliseconds since 1970. */
  readonly usedAt: number;
}

/** Lists the tags of a repository without reading their records, except of those that are too long for a key. */
export class TagNameStore {
  constructor(
    private readonly provider: StorageProvider,
    _hot?: HotCache,
    _space?: SpaceLedger,
  ) {}

  /** In no order. @param isHosted whether the repository is hosted, which decides how keys spell tags. @throws StorageError */
  async *list(repository: RepositoryRef, isHosted: boolean): AsyncGenerator<NamedTag> {
    const folder = keys.hostedTags(repository);
    for await (const { key, usedAt } of this.provider.list(folder)) {
      const name = (isHosted ? ofHosted : ofMirrored)(key.slice(folder.length + 1)) ?? (await this.recorded(key));
      const tag = name === undefined ? undefined : tagOf(name);
      const ownKey = tag && (isHosted ? keys.hostedTag(repository, tag) : keys.tag(repository, tag));
      if (tag && ownKey === key) yield { name: tag.name, usedAt: usedAt.getTime() };
    }
  }

  /** When the tag was last pulled or pushed; undefined when there is none. @throws StorageError */
  async findLastUse(repository: RepositoryRef, tag: Tag, isHosted: boolean): Promise<number | undefined> {
    const key = isHosted ? keys.hostedTag(repository, tag) : keys.tag(repository, tag);
    const entry = await orAbsent(this.provider.lastUse?.(key) ?? this.provider.stat(key));
    return entry?.usedAt.getTime();
  }

  private async recorded(key: string): Promise<string | undefined> {
    try {
      const tag = parseRecord(await this.provider.read(key, maxRecordBytes))?.tag;
      return typeof tag === 'string' ? tag : undefined;
    } catch (error) {
      if (error instanceof StorageError && (error.kind === 'not-found' || error.kind === 'too-large')) return undefined;
      throw error;
    }
  }
}

function ofHosted(component: string): string | undefined {
  return parseOrderedTag(component);
}

/** Undefined for the hash of a long tag. */
function ofMirrored(component: string): string | undefined {
  return component.startsWith('_-') ? undefined : unescape(component);
}

function tagOf(name: string): Tag | undefined {
  try {
    return Tag.parse(name);
  } catch {
    return undefined;
  }
}
