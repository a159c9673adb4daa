import type { ByteRange } from '../../../../oci/byte-range.js';
import { orAbsent, StorageError } from '../../../storage-error.js';
import type { ChunkSink, ResumableIngest } from '../../../storage.provider.js';
import { copyObject } from '../reading/object-copy.js';
import { openObject } from '../reading/s3.object.js';
import { toStorageError } from '../s3-errors.js';
import { headObject } from '../s3.requests.js';
import { putFile } from '../uploading/put-file.js';
import type { IngestContext } from '../uploading/s3.ingest.js';
import type { TempFile } from '../uploading/temp-file.js';
import type { TempFolder } from '../uploading/temp-folder.js';
import { formatCheckpoint, type S3Checkpoint } from './checkpoint.js';
import type { PartsUpload } from './parts.upload.js';
import { newName, type SessionObjects } from './session.objects.js';

/** Concurrent parts of one upload. */
const maxRunning = 2;
/** By how much parts grow when there are too many; `maxParts` is a multiple of it. */
const growth = 4;

/** What an ingest needs from its provider. */
export interface ResumableContext {
  readonly ingest: IngestContext;
  readonly folder: TempFolder;
  readonly objects: SessionObjects;
  /** Called once, when the ingest is closed. */
  leave(): void;
}

/** What is in the bucket already. */
export interface Resumed {
  readonly from: S3Checkpoint;
  readonly upload: PartsUpload;
  /** The bytes behind the last complete part. */
  readonly rest: TempFile | undefined;
}

/**
 * Content that goes to the bucket in parts of one size. A part is collected in a temporary file. The key is known only at
 * `commit`, so the parts become an object of their own first, which the bucket then copies.
 */
export class ResumableS3Ingest implements ResumableIngest {
  private partSize: number;
  /** Parts that have been handed over. */
  private parts: number;
  private upload: PartsUpload;
  /** The part that is being collected. */
  private current: TempFile | undefined;
  /** The object with the bytes behind the last complete part, when all of them had this size. */
  private tail: { readonly name: string; readonly size: number } | undefined;
  private readonly running = new Set<Promise<void>>();
  private failure: StorageError | undefined;
  private state: 'open' | 'sealed' | 'ended' = 'open';
  private isClosed = false;
  /** Objects that may be in the bucket. */
  private readonly written = new Set<string>();
  /** Objects that the last checkpoint names. */
  private named: ReadonlySet<string>;
  private removing: Promise<unknown> = Promise.resolve();
  /** Whether other processes may have left objects that are not known here, as may an upload whose begin was repeated. */
  private readonly isResumed: boolean;

  constructor(
    private readonly id: string,
    private readonly context: ResumableContext,
    resumed?: Resumed,
  ) {
    this.isResumed = resumed !== undefined;
    const { firstPart } = context.ingest.connection.tuning;
    this.partSize = resumed?.from.partSize ?? firstPart;
    this.parts = resumed?.from.parts ?? 0;
    this.upload = resumed?.upload ?? context.objects.uploadOf(id);
    this.current = resumed?.rest;
    this.tail = resumed?.from.tail === undefined ? undefined : { name: resumed.from.tail, size: resumed.from.size };
    this.named = new Set(
      resumed ? [resumed.from.tail, resumed.from.upload?.name].filter((name) => name !== undefined) : [],
    );
    for (const name of this.named) this.written.add(name);
  }

  get size(): number {
    return this.parts * this.partSize + (this.current?.size ?? 0);
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.check('open');
    for (let done = 0; done < chunk.length;) {
      this.current ??= await this.context.folder.createFile();
      const part = chunk.subarray(done, done + this.partSize - this.current.size);
      await this.current.append(part);
      done += part.length;
      if (this.current.size === this.partSize) await this.handOver(this.current);
    }
  }

  /** Bytes in the bucket can be read only as an object, which cannot be appended to. */
  async copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    if (this.state === 'open' && this.parts > 0) await this.seal();
    if (this.state === 'ended') throw new StorageError('failed', 'the ingest has ended');
    if (range.offset + range.length > this.size) throw new StorageError('damaged', 'the range exceeds the content');
    if (this.parts === 0) return this.current?.copy(range, sink, signal);
    const object = await openObject(this.context.ingest.connection, this.upload.path);
    try {
      await object.copy(range, sink, signal);
    } finally {
      await object.close();
    }
  }

  async checkpoint(isPaused = false): Promise<string> {
    this.check('open');
    try {
      await this.settle();
      const tail = await this.writeTail();
      const { size, partSize, parts } = this;
      const id = parts > 0 ? await this.upload.id : undefined;
      const upload = id === undefined ? undefined : { id, name: this.upload.name };
      this.removeUnnamed(new Set([tail, upload?.name].filter((name) => name !== undefined)));
      return formatCheckpoint({ size, partSize, parts, upload, tail, isPaused });
    } catch (error) {
      throw this.fail(error);
    }
  }

  async commit(key: string): Promise<void> {
    if (this.state === 'ended') throw new StorageError('failed', 'the ingest has ended');
    try {
      const path = this.context.ingest.pathOf(key);
      if (this.failure) throw this.failure;
      await this.place(path, key);
      const found = await orAbsent(headObject(this.context.ingest.connection, path));
      if (found?.size !== this.size)
        throw new StorageError('failed', `the storage kept ${found?.size ?? 0} of ${this.size} bytes`);
    } catch (error) {
      throw toStorageError(error, 'commit content');
    } finally {
      await this.abort();
    }
  }

  /** After a successful commit this removes what is left of the session. */
  async abort(): Promise<void> {
    if (this.state === 'ended') return;
    this.state = 'ended';
    await this.upload.abort();
    await Promise.allSettled([...this.running, this.removing]);
    try {
      if (this.isResumed || this.parts > 0) await this.context.objects.removeAll(this.id);
      else await Promise.all([...this.written].map((name) => this.context.objects.remove(this.id, name)));
    } catch {
      // The storage is failing; the sweep removes the objects later.
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.upload.leave();
    await Promise.allSettled([...this.running, this.removing]);
    await this.current?.close();
    this.context.leave();
  }

  private check(state: 'open'): void {
    if (this.state !== state || this.isClosed) throw new StorageError('failed', 'the ingest has ended');
    if (this.failure) throw this.failure;
  }

  private fail(error: unknown): StorageError {
    return (this.failure ??= toStorageError(error, 'write content'));
  }

  /** Sends a complete part, and waits while too many are being sent. */
  private async handOver(file: TempFile): Promise<void> {
    this.current = undefined;
    this.parts += 1;
    this.send(this.parts, file);
    while (this.running.size >= maxRunning) await Promise.race(this.running);
    if (this.parts >= this.context.ingest.connection.tuning.maxParts && this.parts % growth === 0) await this.grow();
    if (this.failure) throw this.failure;
  }

  private send(number: number, file: TempFile): void {
    const sending = this.upload
      .send(number, file)
      .catch((error: unknown) => void this.fail(error))
      .then(() => file.close())
      .then(() => void this.running.delete(sending));
    this.running.add(sending);
  }

  /** @throws StorageError when a part could not be sent */
  private async settle(): Promise<void> {
    await Promise.all(this.running);
    if (this.failure) throw this.failure;
  }

  /** Starts an upload with larger parts, which the bucket fills from the former one. */
  private async grow(): Promise<void> {
    await this.settle();
    try {
      await this.upload.complete(this.parts * this.partSize);
      const larger = this.context.objects.uploadOf(this.id);
      const { path, name } = this.upload;
      this.written.add(name);
      this.upload = larger;
      await larger.copyFrom(path, this.parts * this.partSize, this.partSize * growth);
      this.parts /= growth;
      this.partSize *= growth;
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Makes one object of all bytes. */
  private async seal(): Promise<void> {
    this.check('open');
    this.state = 'sealed';
    try {
      if (this.current && this.current.size > 0) await this.upload.send(this.parts + 1, this.current);
      await this.settle();
      await this.upload.complete(this.size);
      this.written.add(this.upload.name);
    } catch (error) {
      throw this.fail(error);
    }
  }

  private async place(path: string, key: string): Promise<void> {
    const { connection, uploads } = this.context.ingest;
    if (this.parts === 0) {
      await putFile(this.context.ingest, path, this.current, newName(), key);
      return;
    }
    if (this.state === 'open') await this.seal();
    await copyObject(connection, uploads, this.upload.path, path, this.size);
  }

  /** Writes the bytes behind the last complete part. @returns the name of the object; undefined when there are none */
  private async writeTail(): Promise<string | undefined> {
    const { current } = this;
    if (!current || current.size === 0) return undefined;
    const { size } = this;
    if (this.tail?.size === size) return this.tail.name;
    const name = `${this.upload.name}-${this.parts}-${current.size}`;
    // Also when it fails, it may be there.
    this.written.add(name);
    await putFile(this.context.ingest, this.context.objects.pathOf(this.id, name), current, name);
    this.tail = { name, size };
    return name;
  }

  /** The caller has recorded the previous checkpoint, so that objects which neither it nor the next one names can go. */
  private removeUnnamed(next: ReadonlySet<string>): void {
    const unnamed = [...this.written].filter((name) => !this.named.has(name) && !next.has(name));
    this.named = next;
    if (unnamed.length === 0) return;
    const remove = async (name: string) => {
      await this.context.objects.remove(this.id, name);
      this.written.delete(name);
    };
    // What cannot be removed now is removed at the end.
    this.removing = Promise.allSettled([this.removing, ...unnamed.map(remove)]);
  }
}
