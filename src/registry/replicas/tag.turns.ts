import { Injectable, Logger } from '@nestjs/common';
import type { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { StorageError } from '../../storage/storage-error.js';
import { reasonOf } from '../answer-error.js';
import type { HeldLease } from './held.lease.js';
import { ReplicasService } from './replicas.service.js';

/** Milliseconds that a replica has for its question, and that others wait for its outcome. */
const lifetime = 2_000;
const patience = 1_000;
/** Milliseconds between two looks. */
const interval = 100;

/** A question about a tag. */
export interface TagQuestion<T> {
  readonly ask: () => Promise<T>;
  /** What another replica has found out by now, as the storage has it. @throws StorageError */
  readonly find: () => Promise<T | undefined>;
}

/** Lets one of the replicas ask the upstream about a tag, and the others have its answer from the storage. */
@Injectable()
export class TagTurns {
  private readonly logger = new Logger('Replicas');

  constructor(private readonly replicas: ReplicasService) {}

  /** @throws what `ask` throws */
  async run<T>(repository: RepositoryRef, tag: Tag, { ask, find }: TagQuestion<T>): Promise<T> {
    if (!this.replicas.isActive) return ask();
    let turn: HeldLease | undefined;
    try {
      const leases = keys.tagLeases(repository, tag);
      const known = await find();
      if (known !== undefined) return known;
      turn = await this.take(leases);
      const answer = turn ? await find() : await this.wait(leases, find);
      if (answer !== undefined) {
        await turn?.release();
        return answer;
      }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.logger.debug(`${repository.toString()}:${tag.name} is asked about without a lease: ${reasonOf(error)}`);
    }
    return ask().finally(() => turn?.release());
  }

  private async take(leases: string): Promise<HeldLease | undefined> {
    const { epoch, lease } = await this.replicas.findNewest(leases);
    return lease && this.replicas.isLive(lease) ? undefined : this.replicas.take(leases, epoch + 1, lifetime);
  }

  /** Until another replica has the answer, or has given up. */
  private async wait<T>(leases: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    for (let waited = 0; waited < patience; waited += interval) {
      const { lease } = await this.replicas.findNewest(leases);
      const answer = await find();
      if (answer !== undefined || !lease) return answer;
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
    return undefined;
  }
}
