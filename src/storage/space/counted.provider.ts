import type { ByteRange } from '../../oci/byte-range.js';
import { StorageError } from '../storage-error.js';
import type { StorageCounts, StorageOperation } from './storage.counts.js';
import {
  StorageProvider,
  type ChunkSink,
  type Ingest,
  type IngestOptions,
  type ObjectEntry,
  type StoredObject,
} from '../storage.provider.js';

/** Counts the operations of another provider and their errors, and changes nothing else. */
export class CountedProvider extends StorageProvider {
  constructor(
    private readonly inner: StorageProvider,
    private readonly counts: StorageCounts,
  ) {
    super();
  }

  initialize(): Promise<void> {
    return this.inner.initialize();
  }

  read(key: string, limit: number): Promise<Buffer> {
    return count(this.counts, 'read', this.inner.read(key, limit));
  }

  write(key: string, content: Uint8Array): Promise<void> {
    return count(this.counts, 'write', this.inner.write(key, content));
  }

  create(key: string, content: Uint8Array): Promise<boolean> {
    return count(this.counts, 'create', this.inner.create(key, content));
  }

  get isExclusive(): boolean {
    return this.inner.isExclusive;
  }

  move(from: string, to: string): Promise<void> {
    return count(this.counts, 'move', this.inner.move(from, to));
  }

  touch(key: string): Promise<void> {
    return count(this.counts, 'touch', this.inner.touch(key));
  }

  capacity(): Promise<number | undefined> {
    return this.inner.capacity();
  }

  urlOf(key: string, seconds: number): Promise<string | undefined> {
    return this.inner.urlOf(key, seconds);
  }

  async open(key: string): Promise<StoredObject> {
    return new CountedObject(await count(this.counts, 'open', this.inner.open(key)), this.counts);
  }

  stat(key: string): Promise<ObjectEntry> {
    return count(this.counts, 'stat', this.inner.stat(key));
  }

  delete(key: string): Promise<void> {
    return count(this.counts, 'delete', this.inner.delete(key));
  }

  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    this.counts.operations.list += 1;
    try {
      yield* this.inner.list(prefix);
    } catch (error) {
      if (isFailure(error)) this.counts.errors.list += 1;
      throw error;
    }
  }

  async createIngest(options?: IngestOptions): Promise<Ingest> {
    return new CountedIngest(await count(this.counts, 'ingest', this.inner.createIngest(options)), this.counts);
  }

  sweepIngests(age: number): Promise<number> {
    return this.inner.sweepIngests(age);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

class CountedObject implements StoredObject {
  constructor(
    private readonly inner: StoredObject,
    private readonly counts: StorageCounts,
  ) {}

  get size(): number {
    return this.inner.size;
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return count(this.counts, 'copy', this.inner.copy(range, sink, signal));
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

class CountedIngest extends CountedObject implements Ingest {
  constructor(
    private readonly ingest: Ingest,
    private readonly all: StorageCounts,
  ) {
    super(ingest, all);
  }

  append(chunk: Uint8Array): Promise<void> {
    return count(this.all, 'append', this.ingest.append(chunk));
  }

  commit(key: string): Promise<void> {
    return count(this.all, 'commit', this.ingest.commit(key));
  }

  abort(): Promise<void> {
    return this.ingest.abort();
  }
}

/** Returns the same promise, so that counting adds no delay. */
function count<T>(counts: StorageCounts, operation: StorageOperation, result: Promise<T>): Promise<T> {
  counts.operations[operation] += 1;
  result.catch((error: unknown) => {
    if (isFailure(error)) counts.errors[operation] += 1;
  });
  return result;
}

/** Errors of the sink, absent objects and the caller's size limits are not storage failures. */
function isFailure(error: unknown): boolean {
  return error instanceof StorageError && error.kind !== 'not-found' && error.kind !== 'too-large';
}
