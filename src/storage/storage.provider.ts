import type { ByteRange } from '../oci/byte-range.js';

/** Consumes one chunk of content. The chunk belongs to the sender and is valid until the promise settles. */
export type ChunkSink = (chunk: Uint8Array) => Promise<void>;

export interface ObjectEntry {
  readonly key: string;
  readonly size: number;
  /** When it was last written or touched. */
  readonly usedAt: Date;
}

/** A committed object, open for reading. It stays readable until it is closed, even if it is deleted. */
export interface StoredObject {
  readonly size: number;
  /**
   * Passes the bytes of the range to the sink in order, at most one chunk ahead of it. Memory per call is constant.
   * @throws StorageError when the object is shorter than its size or cannot be read; errors of the sink unchanged.
   */
  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void>;
  /** Releases the resources of `open`. May be called more than once. */
  close(): Promise<void>;
}

/** Where content waits for its upload. */
export interface BufferSpace {
  readonly folder: string;
  /** In bytes, available to this process. */
  readonly free: number;
  readonly total: number;
  /** Whether it is in memory, where content competes with the process. */
  readonly isInMemory: boolean;
}

export interface IngestOptions {
  /** Whether it will probably not be committed, so that uploading it early would be wasted. */
  readonly isTransient?: boolean;
  /** The expected key, for storages that need it early. It is a hint: `commit` may name another key. */
  readonly key?: string;
  /** The expected size in bytes, a hint as well. */
  readonly size?: number;
}

/** What `Ingest.appendNow` has done. */
export interface Taken {
  /** Bytes that were appended. */
  readonly bytes: number;
  /** Resolves when more should be appended, so that not too much waits for the storage. Never rejects. */
  readonly ready?: Promise<void> | undefined;
}

/**
 * Content being written, not visible under any key. It ends with `commit` or `abort` and is closed separately, so that
 * followers can finish reading.
 */
export interface Ingest {
  /** Bytes appended so far, all of them readable by `copy`. */
  readonly size: number;
  /** @throws StorageError; the ingest can then only be read up to `size` and aborted. */
  append(chunk: Uint8Array): Promise<void>;
  /**
   * Optional: appends as many bytes as it can without waiting, none after a failure. The caller may reuse the chunk when it
   * has returned, and appends the other bytes with `append`. @throws StorageError
   */
  appendNow?(chunk: Uint8Array): Taken;
  /** As `StoredObject.copy`, for the bytes appended so far; before and after `commit`, until `close`. */
  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void>;
  /**
   * Makes the complete content visible under the key, durably: a power failure does not lose it. Atomically replaces an
   * existing object.
   * @throws StorageError after aborting the ingest; nothing has become visible then.
   */
  commit(key: string): Promise<void>;
  /** Discards the content. Does nothing after `commit` or another `abort`. Never throws. */
  abort(): Promise<void>;
  /** Releases open resources. Never throws. */
  close(): Promise<void>;
}

/**
 * Content whose bytes outlive the process that writes them: `close` without `commit` or `abort` keeps what was checkpointed.
 * `abort` removes all bytes of the id.
 */
export interface ResumableIngest extends Ingest {
  /**
   * Makes everything appended so far outlive this process. Appending may go on afterwards.
   * @param isPaused whether the caller records another checkpoint before it appends or commits, so that `resume` may use the
   * stored bytes in place; otherwise `resume` copies them, since this process may still write.
   * The previous checkpoint must have been recorded, or it may not be resumable any more.
   * @returns what `resume` needs, in any process: JSON without secrets, at most 2 KiB.
   */
  checkpoint(isPaused?: boolean): Promise<string>;
  /** As `Ingest.copy`, until `commit`; appending and checkpoints may fail afterwards. */
  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void>;
}

/** Ingests that any process can resume. Ids match `/^[0-9a-f]{32}$/`. */
export interface ResumableIngests {
  /** Bytes below which appending between two checkpoints costs more than it has to; undefined when it does not matter. */
  readonly minChunk?: number | undefined;
  /**
   * Whether `commit` copies the stored bytes, so that nobody who resumes a paused checkpoint at the same time can change what
   * was committed. Otherwise the caller makes a checkpoint that is not paused before it commits.
   */
  readonly commitsCopy?: boolean | undefined;
  /** Begins to write content; costs nothing until bytes are appended. */
  begin(id: string): Promise<ResumableIngest>;
  /**
   * Resumes where a checkpoint was made, with the size of then. What another process has appended after it, or still
   * appends, never becomes part of it. @throws StorageError `not-found`
   */
  resume(id: string, checkpoint: string): Promise<ResumableIngest>;
  /** Removes all bytes of the id, also while a process writes them. Missing ones are not an error. */
  discard(id: string, checkpoint: string): Promise<void>;
  /**
   * Removes the bytes of ids without an append for `age` milliseconds that are not in use here, unless `isKept`.
   * @returns the number of ids
   */
  sweep(age: number, isKept: (id: string) => Promise<boolean>): Promise<number>;
}

export interface WriteOptions {
  /** False when the object need not outlive a power failure, only the process. A provider may ignore it. */
  readonly isDurable?: boolean;
}

/**
 * Storage of content and records: the port that providers implement, and its injection token.
 *
 * Keys are paths of `[a-z0-9._-]` components joined by `/`, made by `keys.ts` only; no component is `.`, `..` or empty;
 * no key is a folder of another. Every method throws `StorageError`, and only its kind `not-found` means that an object
 * does not exist (promise P20). `testing/provider.contract.ts` has a case for every sentence here.
 */
export abstract class StorageProvider {
  /**
   * Prepares the storage. Called once, before any other method.
   * @throws StorageError whose message tells the operator what to do.
   */
  abstract initialize(): Promise<void>;

  /** Reads the whole object. @throws StorageError `not-found`; `too-large` when it has more than `limit` bytes. */
  abstract read(key: string, limit: number): Promise<Buffer>;

  /** Writes an object atomically and durably: readers see the old or the new content. */
  abstract write(key: string, content: Uint8Array, options?: WriteOptions): Promise<void>;

  /**
   * Writes an object that does not exist yet, atomically and durably. Of all concurrent calls in any process exactly one
   * returns true; the others change nothing. Only to be called when `isExclusive` is true.
   */
  abstract create(key: string, content: Uint8Array, options?: WriteOptions): Promise<boolean>;

  /** Whether `create` is exclusive: some storages accept the condition and ignore it. Known after `initialize`. */
  abstract get isExclusive(): boolean;

  /** Moves an object atomically, replacing one under the new key. @throws StorageError `not-found` */
  abstract move(from: string, to: string): Promise<void>;

  /**
   * Sets the object's `usedAt` to now without changing or restoring it: a concurrent delete leaves nothing behind.
   * @throws StorageError `not-found`, unless detecting that would cost a request.
   */
  abstract touch(key: string): Promise<void>;

  /** Total size of the storage in bytes, including free space and space used by others; undefined when unknown. */
  abstract capacity(): Promise<number | undefined>;

  /** A URL from which clients can read the object directly for `seconds`; undefined when the storage has none. */
  abstract urlOf(key: string, seconds: number): Promise<string | undefined>;

  /** Opens an object for streaming. @throws StorageError `not-found` */
  abstract open(key: string): Promise<StoredObject>;

  /** `usedAt` may leave touches out, if they cost another request. @throws StorageError `not-found` */
  abstract stat(key: string): Promise<ObjectEntry>;

  /** As `stat`, touches included. Optional: for providers whose `stat` leaves them out. @throws StorageError `not-found` */
  lastUse?(key: string): Promise<ObjectEntry>;

  /** Removes an object; a missing one is not an error. */
  abstract delete(key: string): Promise<void>;

  /**
   * Lists every object whose key starts with `prefix/`, without ingests and foreign files. The order is undefined, except
   * that the contents of a folder, including its subfolders, are contiguous.
   */
  abstract list(prefix: string): AsyncIterable<ObjectEntry>;

  /**
   * Names of the objects in a folder that has no subfolders, in ascending byte order.
   * @param after lists only names behind this one, whether there is such an object or not.
   * @param limit the most names that are listed.
   */
  async listNames(folder: string, after: string | undefined, limit: number): Promise<string[]> {
    const names: string[] = [];
    for await (const { key } of this.list(folder)) {
      const name = key.slice(folder.length + 1);
      if (after === undefined || name > after) names.push(name);
    }
    return names.sort().slice(0, limit);
  }

  /**
   * Whether the latest list of `prefix` left out objects that may exist, because a folder cannot be read. Optional: the
   * lists of most storages are complete or fail.
   */
  isIncomplete?(prefix: string): boolean;

  /** Begins to write content whose key is only certain once it has been verified. */
  abstract createIngest(options?: IngestOptions): Promise<Ingest>;

  /** Undefined when ingests end with their process. */
  get resumable(): ResumableIngests | undefined {
    return undefined;
  }

  /**
   * Removes ingests without an append for `age` milliseconds, except those of this process and resumable ones; returns how
   * many.
   */
  abstract sweepIngests(age: number): Promise<number>;

  /** Optional: the local folder of a storage that is elsewhere; undefined when there is none. @throws StorageError */
  bufferSpace?(): Promise<BufferSpace | undefined>;

  /** Releases all resources. */
  abstract close(): Promise<void>;
}
