import type { ByteRange } from '../oci/byte-range.js';

/** Takes one chunk of content. The chunk belongs to the sender and is only valid until the promise settles. */
export type ChunkSink = (chunk: Uint8Array) => Promise<void>;

export interface ObjectEntry {
  readonly key: string;
  readonly size: number;
  /** When it was written, or touched since. */
  readonly usedAt: Date;
}

/** A committed object, open for reading. It stays readable until it is closed, even when it is deleted meanwhile. */
export interface StoredObject {
  readonly size: number;
  /**
   * Gives the bytes of the range, in order, to the sink, and waits for the sink before it sends more than one chunk
   * ahead. Memory is a constant per call, whatever the size.
   * @throws StorageError when the object is shorter than its size, or cannot be read; what the sink throws, unchanged.
   */
  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void>;
  /** Releases what `open` took. May be called again. */
  close(): Promise<void>;
}

export interface IngestOptions {
  /** It will probably not be committed, so that sending it to a far storage early would be in vain. */
  readonly isTransient?: boolean;
  /**
   * The key that it is going to be committed under if it verifies, for storages that have to know it early. It promises
   * nothing: `commit` decides, and may name another.
   */
  readonly key?: string;
}

/**
 * Content being written, invisible to readers of any key. It ends with `commit` or `abort`, and is closed after that:
 * closing later lets those who follow it read on meanwhile.
 */
export interface Ingest {
  /** Bytes appended so far, all of them readable by `copy`. */
  readonly size: number;
  /** @throws StorageError; the ingest can then only be read up to `size` and aborted. */
  append(chunk: Uint8Array): Promise<void>;
  /** As `StoredObject.copy`, over what has been appended; before and after `commit`, until `close`. */
  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void>;
  /**
   * Makes the content visible under the key, whole and durable: after it returns, a power cut does not lose it.
   * Replaces what was there in one step.
   * @throws StorageError, and then nothing is visible that was not before, and the ingest is aborted.
   */
  commit(key: string): Promise<void>;
  /** Discards the content. Does nothing after `commit` or another `abort`. Never throws. */
  abort(): Promise<void>;
  /** Releases what is open. Never throws. */
  close(): Promise<void>;
}

/**
 * Where content and records are kept: the port that a provider implements, and its injection token.
 *
 * Keys are paths of `[a-z0-9._-]` components joined by `/`, made by `keys.ts` only; no component is `.`, `..` or empty;
 * no key is a folder of another. Every method throws `StorageError`, and only its kind `not-found` says that there is
 * nothing under a key: trouble is never an absence (promise P20). `testing/provider.contract.ts` has a case for every
 * sentence here.
 */
export abstract class StorageProvider {
  /**
   * Prepares the storage, once, before anything else is called.
   * @throws StorageError whose message tells a person what to do.
   */
  abstract initialize(): Promise<void>;

  /** The whole object. @throws StorageError `not-found`; `too-large` when it has more than `limit` bytes. */
  abstract read(key: string, limit: number): Promise<Buffer>;

  /** Makes `content` the object under the key, whole and durable, in one step: readers see the old or the new. */
  abstract write(key: string, content: Uint8Array): Promise<void>;

  /**
   * Writes an object that is not there yet, whole and durable: of all who try at the same time, in any process, exactly
   * one gets true, and the others leave its object as it is. Only to be called where `isExclusive` says so.
   */
  abstract create(key: string, content: Uint8Array): Promise<boolean>;

  /** Whether `create` keeps its promise here: some storages accept its condition and ignore it. Known once initialized. */
  abstract get isExclusive(): boolean;

  /** Moves an object to another key in one step, replacing what was there. @throws StorageError `not-found` */
  abstract move(from: string, to: string): Promise<void>;

  /**
   * Records that an object was used now, in its `usedAt`, without changing or restoring it: a touch that meets a delete
   * leaves nothing behind. @throws StorageError `not-found`, or nothing where finding out would cost a request.
   */
  abstract touch(key: string): Promise<void>;

  /** Bytes of the storage, free ones and those that others use included; undefined when it has no bound that is known. */
  abstract capacity(): Promise<number | undefined>;

  /**
   * A URL at which clients can read the object themselves for `seconds`, or undefined: most storages have none.
   */
  abstract urlOf(key: string, seconds: number): Promise<string | undefined>;

  /** Opens an object for streaming. @throws StorageError `not-found` */
  abstract open(key: string): Promise<StoredObject>;

  /** @throws StorageError `not-found` */
  abstract stat(key: string): Promise<ObjectEntry>;

  /** Removes an object; an absent one is no error. */
  abstract delete(key: string): Promise<void>;

  /**
   * Every object whose key starts with `prefix/`, without ingests. Foreign files are left out. In no promised order, but
   * what one folder holds comes together, the folders in it included.
   */
  abstract list(prefix: string): AsyncIterable<ObjectEntry>;

  /** Begins to write content whose key is not certain until it has been verified. */
  abstract createIngest(options?: IngestOptions): Promise<Ingest>;

  /** Removes ingests that nobody has appended to for `age` milliseconds; returns how many. Never one in use here. */
  abstract sweepIngests(age: number): Promise<number>;

  /** Releases everything. */
  abstract close(): Promise<void>;
}
