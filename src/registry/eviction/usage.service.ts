import { Injectable } from '@nestjs/common';
import { SpaceLedger } from '../../storage/space/space.ledger.js';
import { StoredObjects, type StoredRecord } from '../../storage/stores/stored.objects.js';

/** Records read at one time. */
const batch = 16;

/** Total usage, as known without counting. */
export interface Usage {
  /** Bytes on disk, including records. */
  readonly bytes: number;
  /** Content objects. */
  readonly objects: number;
  /** Bytes. */
  readonly quota?: number;
  /** Objects that were set aside as damaged. */
  readonly damaged: number;
}

export interface RepositoryUsage {
  readonly namespace: string;
  readonly name: string;
  readonly manifests: number;
  readonly blobs: number;
  /** Bytes of its manifests and blobs. Content that repositories share counts for each of them. */
  readonly bytes: number;
  /** Time of the last use, to within an hour. */
  readonly usedAt: Date;
  /** Whether any of it was, or may have been, obtained with credentials. */
  readonly isPrivate: boolean;
}

/** How much is stored, in total and per repository. */
@Injectable()
export class UsageService {
  constructor(
    private readonly objects: StoredObjects,
    private readonly space: SpaceLedger,
  ) {}

  /** The last count, updated by what was written and removed since. */
  usage(): Promise<Usage> {
    const { bytes, objects, damaged, quota } = this.space;
    return Promise.resolve({ bytes, objects, damaged, ...(quota !== undefined && { quota }) });
  }

  /**
   * Yields every repository while it walks the storage. It reads each record once, which takes long where there are
   * many. The walk ends when the caller stops iterating.
   */
  async *repositories(): AsyncGenerator<RepositoryUsage> {
    // Repository names nest, so the repositories that enclose the current one are not complete yet.
    const open: Tally[] = [];
    let pending: { tally: Tally; record: StoredRecord }[] = [];
    const count = async () => {
      const counting = pending;
      pending = [];
      await Promise.all(
        counting.map(async ({ tally, record }) => tally.count(record, await this.objects.read(record))),
      );
    };
    for await (const record of this.objects.records()) {
      const path = pathOf(record);
      for (let last = open.at(-1); last && !`${path}/`.startsWith(`${last.path}/`); last = open.at(-1)) {
        await count();
        open.pop();
        yield last.usage;
      }
      let tally = open.at(-1);
      if (tally?.path !== path) open.push((tally = new Tally(path, record)));
      if (record.digest) pending.push({ tally, record });
      else tally.see(record);
      if (pending.length >= batch) await count();
    }
    await count();
    for (const { usage } of open.reverse()) yield usage;
  }
}

class Tally {
  private manifests = 0;
  private blobs = 0;
  private bytes = 0;
  private usedAt = new Date(0);
  private isPrivate = false;

  constructor(
    readonly path: string,
    private readonly repository: { readonly namespace: string; readonly name: string },
  ) {}

  see({ usedAt }: StoredRecord): void {
    if (usedAt > this.usedAt) this.usedAt = usedAt;
  }

  count(record: StoredRecord, { size, isPrivate }: { readonly size: number; readonly isPrivate: boolean }): void {
    this.see(record);
    this.bytes += size;
    this.isPrivate ||= isPrivate;
    if (record.kind === 'blob') this.blobs += 1;
    else this.manifests += 1;
  }

  get usage(): RepositoryUsage {
    const { manifests, blobs, bytes, usedAt } = this;
    const { namespace, name } = this.repository;
    // A repository that has only tags may be private.
    const isPrivate = this.isPrivate || manifests + blobs === 0;
    return { namespace, name, manifests, blobs, bytes, usedAt, isPrivate };
  }
}

function pathOf({ namespace, name }: StoredRecord): string {
  return `${namespace}/${name}`;
}
