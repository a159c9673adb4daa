import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../config/clock/clock.js';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import type { ManifestHead } from '../manifest.js';

/** Characters of all entries together, of two bytes at most. */
const maxCharacters = 256 * 1024;
/** What an entry takes beside its texts, counted as characters. */
const entryCost = 120;
const maxReason = 300;

export type PullOutcome = 'hit' | 'miss' | 'revalidated' | 'stale' | 'refused' | 'failed';

/** How the last pull of a reference ended, in this process. */
export interface LastOutcome {
  readonly outcome: PullOutcome;
  /** When it was first seen, in milliseconds since 1970: further hits are sent from memory and not noted. */
  readonly at: number;
  /** What was served. */
  readonly digest?: string;
  /** Error code and message of what was not. */
  readonly reason?: string;
  /** Whether rules of the access file refused it to somebody, whom the reason names. */
  readonly isByRules?: boolean;
  /** The one before, if it was another. */
  readonly before?: Omit<LastOutcome, 'before'>;
}

const definitive: ReadonlySet<number> = new Set([401, 403, 404, 405]);

/** How the last pull of each manifest ended, within a bound. Responses that memory repeats cost nothing here. */
@Injectable()
export class LastOutcomes {
  private readonly entries = new LRUCache<string, LastOutcome>({
    maxSize: maxCharacters,
    sizeCalculation: (last, key) => entryCost + key.length + lengthOf(last) + (last.before ? lengthOf(last.before) : 0),
  });

  constructor(@Inject(Clock) private readonly clock: Clock) {}

  /** Notes how a request for a manifest ends, and leaves its result as it is. */
  async watch<T extends ManifestHead>(repository: RepositoryRef, reference: Reference, pull: Promise<T>): Promise<T> {
    try {
      const manifest = await pull;
      this.noteServed(keyOf(repository, reference), manifest);
      return manifest;
    } catch (error) {
      if (error instanceof OciError) this.noteError(repository, reference, error);
      throw error;
    }
  }

  /** A pull that the rules refused to somebody, before a use case began. */
  noteDenied(repository: RepositoryRef, reference: Reference, { code, message }: OciError): void {
    const reason = `${code}: ${message}`.slice(0, maxReason);
    this.note(keyOf(repository, reference), { outcome: 'refused', at: this.clock.now(), reason, isByRules: true });
  }

  /** Does not count as a use. */
  find(repository: RepositoryRef, reference: Reference): LastOutcome | undefined {
    return this.entries.peek(keyOf(repository, reference));
  }

  private noteError(
    repository: RepositoryRef,
    reference: Reference,
    { status, code, message, detail }: OciError,
  ): void {
    const outcome = definitive.has(status) ? 'refused' : 'failed';
    const more = typeof detail === 'string' ? ` (${detail})` : '';
    const reason = `${code}: ${message}${more}`.slice(0, maxReason);
    this.note(keyOf(repository, reference), { outcome, at: this.clock.now(), reason });
  }

  private noteServed(key: string, { cache, digest }: ManifestHead): void {
    const outcome = cache.toLowerCase() as Lowercase<typeof cache>;
    const name = digest.toString();
    const before = this.entries.get(key);
    if (outcome === 'hit' && before?.outcome === 'hit' && before.digest === name) return;
    this.note(key, { outcome, at: this.clock.now(), digest: name });
  }

  private note(key: string, last: Noted): void {
    const known = this.entries.get(key);
    const isOther = known?.outcome !== last.outcome || known.isByRules !== last.isByRules;
    const before = known && isOther ? withoutBefore(known) : known?.before;
    this.entries.set(key, { ...last, ...(before && { before }) });
  }
}

type Noted = Omit<LastOutcome, 'before'>;

function withoutBefore({ before: _, ...noted }: LastOutcome): Noted {
  return noted;
}

function lengthOf({ digest = '', reason = '' }: Noted): number {
  return digest.length + reason.length;
}

function keyOf(repository: RepositoryRef, reference: Reference): string {
  return `${repository.toString()}${reference instanceof Digest ? '@' : ':'}${reference.toString()}`;
}
