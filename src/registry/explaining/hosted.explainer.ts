import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { Digest } from '../../oci/digest.js';
import type { Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HostedStore } from '../../storage/stores/hosted/hosted.store.js';
import { ageOf } from '../mirrored/freshness/freshness.js';
import type { ExplainedContent, Explanation, Next } from './explanation.js';
import { nothing, StoredContent } from './stored.content.js';

/** Explains references of hosted namespaces: what is not here does not exist. */
@Injectable()
export class HostedExplainer {
  constructor(
    private readonly store: HostedStore,
    private readonly content: StoredContent,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** @throws StorageError */
  async explain(
    repository: RepositoryRef,
    reference: Reference,
    seesOthers: boolean,
  ): Promise<Pick<Explanation, 'record' | 'stored' | 'now'>> {
    if (reference instanceof Digest) {
      const manifest = await this.store.findManifest(repository, reference);
      if (!manifest) return { stored: nothing, now: absent('no such manifest was pushed to the repository') };
      const stored = await this.content.explain(repository, reference, manifest.mediaType, seesOthers);
      return { stored, now: nextOf(stored) };
    }
    const tag = await this.store.findTag(repository, reference);
    if (!tag) return { stored: nothing, now: absent('no such tag was pushed to the repository') };
    const { digest, mediaType, size, pushedAt } = tag;
    const stored = await this.content.explain(repository, digest, mediaType, seesOthers);
    const record = {
      digest: digest.toString(),
      mediaType,
      size,
      confirmedAt: new Date(pushedAt).toISOString(),
      age: ageOf({ checkedAt: pushedAt }, this.clock.now()),
      freshness: 'permanent',
      isPrivate: false,
    } as const;
    return { record, stored, now: nextOf(stored) };
  }
}

function nextOf({ manifest }: ExplainedContent): Next {
  if (manifest?.state === 'stored') return { outcome: 'hit', reason: 'it is hosted here: there is no upstream to ask' };
  return absent('the content of the manifest is missing: push it again');
}

function absent(reason: string): Next {
  return { outcome: 'refused', reason: `${reason}, and hosted content is never looked for elsewhere` };
}
