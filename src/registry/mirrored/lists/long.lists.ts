import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../../config/memory/at-most.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { FairQueue } from '../../../upstream/health/fair.queue.js';
import type { LongBody } from '../../../upstream/transport/long.body.js';
import { LocalLimitError } from '../../../upstream/upstream-error.js';
import type { Upstream } from '../../../upstream/upstream.js';
import { UpstreamsService } from '../../../upstream/upstreams.service.js';

/** Long lists of one upstream that are sent at a time: each has one of its connections for short requests. */
const maxLists = 4;
/** Milliseconds to wait for a place before the upstream is asked, and while its response waits. */
const patience = 15_000;
const shortPatience = 2_000;

/** Lists remembered as long. */
const maxKnown = 1_000;

/** Places for long lists of each upstream. */
@Injectable()
export class LongLists {
  private readonly queues = new WeakMap<Upstream, FairQueue>();
  private readonly known = new LRUCache<string, true>(atMost(maxKnown));

  constructor(private readonly upstreams: UpstreamsService) {}

  /** A place for a list that was long the last time. @returns what gives it back @throws LocalLimitError */
  async enter(repository: RepositoryRef, name: string): Promise<(() => void) | undefined> {
    return this.known.has(keyOf(repository, name)) ? this.wait(repository, patience) : undefined;
  }

  /**
   * Gives a long list a place until its body is closed.
   * @param leave of a place that it has already
   * @throws LocalLimitError after closing the body
   */
  async admit(repository: RepositoryRef, name: string, body: LongBody, leave?: () => void): Promise<void> {
    this.known.set(keyOf(repository, name), true);
    try {
      body.onClose(leave ?? (await this.wait(repository, shortPatience)));
    } catch (error) {
      body.close();
      throw error;
    }
  }

  /** The list is not long any more. */
  forget(repository: RepositoryRef, name: string): void {
    this.known.delete(keyOf(repository, name));
  }

  private async wait(repository: RepositoryRef, time: number): Promise<() => void> {
    const upstream = this.upstreams.get(repository.namespace);
    const queue = this.queues.get(upstream) ?? new FairQueue(maxLists);
    this.queues.set(upstream, queue);
    const leave = await queue.enter(repository.toString(), time);
    if (!leave) throw new LocalLimitError('too many long lists of the registry are being sent');
    return leave;
  }
}

function keyOf(repository: RepositoryRef, name: string): string {
  return `${repository.toString()} ${name}`;
}
