import type { ByteRange } from '../../oci/byte-range.js';
import { isOutOfSpace, StorageError } from '../storage-error.js';
import { inTime } from './patience.js';
import type { StorageCounts, StorageOperation } from './storage.counts.js';
import {
  StorageProvider,
  type BufferSpace,
  type ChunkSink,
  type Ingest,
  type IngestOptions,
  type ObjectEntry,
  type ResumableIngest,
  type ResumableIngests,
  type Taken,
  type StoredObject,
  type WriteOptions,
} from '../storage.provider.js';

/** Counts the operations of another provider and their errors, and ends those that a response would wait for too long. */
export class CountedProvider extends StorageProvider {
  private readonly counter: Counter;

  constructor(
    private readonly inner: StorageProvider,
    counts: StorageCounts,
  ) {
    super();
    this.counter = new Counter(counts);
  }

  /** @param listener called whenever a write fails for lack of space, whatever the quota allows */
  set onFull(listener: () => void) {
    this.counter.onFull = listener;
  }

  initialize(): Promise<void> {
    return this.inner.initialize();
  }

  read(key: string, limit: number): Promise<Buffer> {
    return this.counter.count('read', inTime(this.inner.read(key, limit)));
  }

  write(key: string, content: Uint8Array, options?: WriteOptions): Promise<void> {
    return this.counter.count('write', this.inner.write(key, content, options));
  }

  create(key: string, content: Uint8Array, options?: WriteOptions): Promise<boolean> {
    return this.counter.count('create', this.inner.create(key, content, options));
  }

  get isExclusive(): boolean {
    return this.inner.isExclusive;
  }

  move(from: string, to: string): Promise<void> {
    return this.counter.count('move', this.inner.move(from, to));
  }

  touch(key: string): Promise<void> {
    return this.counter.count('touch', this.inner.touch(key));
  }

  capacity(): Promise<number | undefined> {
    return this.inner.capacity();
  }

  override async bufferSpace(): Promise<BufferSpace | undefined> {
    return this.inner.bufferSpace?.();
  }

  urlOf(key: string, seconds: number): Promise<string | undefined> {
    return this.inner.urlOf(key, seconds);
  }

  async open(key: string): Promise<StoredObject> {
    const opening = inTime(this.inner.open(key), (late) => late.close());
    return new CountedObject(await this.counter.count('open', opening), this.counter);
  }

  stat(key: string): Promise<ObjectEntry> {
    return this.counter.count('stat', inTime(this.inner.stat(key)));
  }

  override lastUse(key: string): Promise<ObjectEntry> {
    const entry = this.inner.lastUse?.(key) ?? this.inner.stat(key);
    return this.counter.count('stat', inTime(entry));
  }

  delete(key: string): Promise<void> {
    return this.counter.count('delete', this.inner.delete(key));
  }

  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    this.counter.counts.operations.list += 1;
    try {
      yield* this.inner.list(prefix);
    } catch (error) {
      this.counter.note('list', error);
      throw error;
    }
  }

  override listNames(folder: string, after: string | undefined, limit: number): Promise<string[]> {
    return this.counter.count('list', this.inner.listNames(folder, after, limit));
  }

  override isIncomplete(prefix: string): boolean {
    return this.inner.isIncomplete?.(prefix) ?? false;
  }

  async createIngest(options?: IngestOptions): Promise<Ingest> {
    return new CountedIngest(await this.counter.count('ingest', this.inner.createIngest(options)), this.counter);
  }

  override get resumable(): ResumableIngests | undefined {
    const { resumable } = this.inner;
    return resumable && new CountedIngests(resumable, this.counter);
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
    protected readonly counter: Counter,
  ) {}

  get size(): number {
    return this.inner.size;
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.counter.count('copy', this.inner.copy(range, sink, signal));
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

class CountedIngest extends CountedObject implements Ingest {
  constructor(
    private readonly ingest: Ingest,
    counter: Counter,
  ) {
    super(ingest, counter);
  }

  append(chunk: Uint8Array): Promise<void> {
    return this.counter.count('append', this.ingest.append(chunk));
  }

  appendNow(chunk: Uint8Array): Taken {
    try {
      const taken = this.ingest.appendNow?.(chunk) ?? { bytes: 0 };
      if (taken.bytes > 0) this.counter.counts.operations.append += 1;
      return taken;
    } catch (error) {
      this.counter.counts.operations.append += 1;
      this.counter.note('append', error);
      throw error;
    }
  }

  commit(key: string): Promise<void> {
    return this.counter.count('commit', this.ingest.commit(key));
  }

  abort(): Promise<void> {
    return this.ingest.abort();
  }
}

class CountedResumableIngest extends CountedIngest implements ResumableIngest {
  constructor(
    private readonly resumable: ResumableIngest,
    counter: Counter,
  ) {
    super(resumable, counter);
  }

  checkpoint(isPaused?: boolean): Promise<string> {
    return this.counter.count('checkpoint', this.resumable.checkpoint(isPaused));
  }
}

class CountedIngests implements ResumableIngests {
  constructor(
    private readonly inner: ResumableIngests,
    private readonly counter: Counter,
  ) {}

  get minChunk(): number | undefined {
    return this.inner.minChunk;
  }

  async begin(id: string): Promise<ResumableIngest> {
    return new CountedResumableIngest(await this.counter.count('ingest', this.inner.begin(id)), this.counter);
  }

  async resume(id: string, checkpoint: string): Promise<ResumableIngest> {
    const resumed = await this.counter.count('resume', this.inner.resume(id, checkpoint));
    return new CountedResumableIngest(resumed, this.counter);
  }

  discard(id: string, checkpoint: string): Promise<void> {
    return this.counter.count('discard', this.inner.discard(id, checkpoint));
  }

  sweep(age: number, isKept: (id: string) => Promise<boolean>): Promise<number> {
    return this.inner.sweep(age, isKept);
  }
}

class Counter {
  onFull: () => void = () => undefined;

  constructor(readonly counts: StorageCounts) {}

  /** Returns the same promise, so that counting adds no delay. */
  count<T>(operation: StorageOperation, result: Promise<T>): Promise<T> {
    this.counts.operations[operation] += 1;
    result.then(
      () => {
        if (operation === 'write' || operation === 'commit') this.counts.isFull = false;
      },
      (error: unknown) => this.note(operation, error),
    );
    return result;
  }

  note(operation: StorageOperation, error: unknown): void {
    if (isFailure(error)) this.counts.errors[operation] += 1;
    if (error instanceof StorageError && error.kind === 'full') this.counts.isFull = true;
    if (isOutOfSpace(error)) this.onFull();
  }
}

/** Errors of the sink, absent objects and the caller's size limits are not storage failures. */
function isFailure(error: unknown): boolean {
  return error instanceof StorageError && error.kind !== 'not-found' && error.kind !== 'too-large';
}
