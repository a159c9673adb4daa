import { Injectable } from '@nestjs/common';
import type { EventTarget } from '../../events/event.js';
import { EventsService } from '../../events/events.service.js';
import { Digest } from '../../oci/digest.js';
import type { Reference, Tag } from '../../oci/reference.js';
import { RepositoryRef } from '../../oci/repository.js';
import type { RecordKey } from '../../storage/keys.js';
import type { Garbage } from '../hosted/garbage/repository.garbage.js';

/** Tells webhooks what sweeps and operators remove. */
@Injectable()
export class EvictionEvents {
  constructor(private readonly events: EventsService) {}

  /** For a record of a mirrored repository; undefined without webhooks. */
  get onRemoved(): ((record: RecordKey) => Promise<void>) | undefined {
    if (!this.events.isEnabled) return undefined;
    return async ({ kind, namespace, name, digest }) => {
      if (digest && (kind === 'manifest' || kind === 'blob'))
        await this.evicted(`${namespace}/${name}`, { kind, digest: digest.toString() });
    };
  }

  async collected({ repository, kind, digest, tag }: Garbage): Promise<void> {
    if (this.events.isEnabled) await this.evicted(repository, { kind, digest, ...(tag !== undefined && { tag }) });
  }

  /** For what an operator has removed from a mirrored repository. @param actor the identity that did, if it has one */
  removed(repository: RepositoryRef, target: EventTarget, actor: string | undefined): Promise<void> {
    return this.events.emit({ action: 'evict', repository, target, actor });
  }

  /** For what an operator has deleted from a hosted repository. @param tags that went with it */
  async deleted(
    repository: RepositoryRef,
    reference: Reference,
    tags: readonly Tag[],
    actor: string | undefined,
  ): Promise<void> {
    const manifests = reference instanceof Digest ? [{ kind: 'manifest', digest: reference.toString() } as const] : [];
    for (const target of [...manifests, ...tags.map(({ name }) => ({ kind: 'tag', tag: name }) as const)])
      await this.events.emit({ action: 'delete', repository, target, actor });
  }

  private async evicted(text: string, target: EventTarget): Promise<void> {
    const repository = parse(text);
    if (repository) await this.events.emit({ action: 'evict', repository, target });
  }
}

/** The key of a record has the hash of a long namespace, and may be one that another program has written. */
function parse(text: string): RepositoryRef | undefined {
  try {
    return RepositoryRef.parse(text);
  } catch {
    return undefined;
  }
}
