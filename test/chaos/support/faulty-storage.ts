import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilesystemProvider } from '../../../src/storage/providers/filesystem/filesystem.provider.js';
import { StorageError, type StorageErrorKind } from '../../../src/storage/storage-error.js';
import {
  StorageProvider,
  type Ingest,
  type IngestOptions,
  type ObjectEntry,
  type StoredObject,
} from '../../../src/storage/storage.provider.js';

type Operation = 'read' | 'write' | 'open' | 'stat' | 'delete' | 'move' | 'createIngest' | 'append' | 'commit' | 'copy';

/** The storage of the file system with trouble at choice; what a fault leaves alone works as ever. */
export class FaultyStorage extends StorageProvider implements AsyncDisposable {
  /** Operations that fail, and how. */
  readonly faults = new Map<Operation, StorageErrorKind>();
  /** Bytes that ingests may still take together; then the disk is full, in the middle of a write. */
  space = Infinity;
  /** Failures so far. */
  failed = 0;
  private readonly provider: FilesystemProvider;

  private constructor(readonly root: string) {
    super();
    this.provider = new FilesystemProvider(root);
  }

  static async make(): Promise<FaultyStorage> {
    return new FaultyStorage(await mkdtemp(join(tmpdir(), 'oci-registry-faulty-')));
  }

  /** @throws StorageError when the operation is to fail. */
  check(operation: Operation): void {
    const kind = this.faults.get(operation);
    if (kind === undefined) return;
    this.failed += 1;
    throw new StorageError(kind, `cannot ${operation}: planned trouble`);
  }

  initialize(): Promise<void> {
    return this.provider.initialize();
  }

  async read(key: string, limit: number): Promise<Buffer> {
    this.check('read');
    return this.provider.read(key, limit);
  }

  async write(key: string, content: Uint8Array): Promise<void> {
    this.check('write');
    return this.provider.write(key, content);
  }

  async open(key: string): Promise<StoredObject> {
    this.check('open');
    const stored = await this.provider.open(key);
    return {
      size: stored.size,
      copy: async (range, sink, signal) => {
        this.check('copy');
        await stored.copy(range, sink, signal);
      },
      close: () => stored.close(),
    };
  }

  async stat(key: string): Promise<ObjectEntry> {
    this.check('stat');
    return this.provider.stat(key);
  }

  async delete(key: string): Promise<void> {
    this.check('delete');
    return this.provider.delete(key);
  }

  async create(key: string, content: Uint8Array): Promise<boolean> {
    this.check('write');
    return this.provider.create(key, content);
  }

  get isExclusive(): boolean {
    return this.provider.isExclusive;
  }

  async move(from: string, to: string): Promise<void> {
    this.check('move');
    return this.provider.move(from, to);
  }

  touch(key: string): Promise<void> {
    return this.provider.touch(key);
  }

  capacity(): Promise<number | undefined> {
    return this.provider.capacity();
  }

  urlOf(): Promise<string | undefined> {
    return this.provider.urlOf();
  }

  list(prefix: string): AsyncIterable<ObjectEntry> {
    return this.provider.list(prefix);
  }

  async createIngest(_options?: IngestOptions): Promise<Ingest> {
    this.check('createIngest');
    return new FaultyIngest(await this.provider.createIngest(), this);
  }

  sweepIngests(age: number): Promise<number> {
    return this.provider.sweepIngests(age);
  }

  close(): Promise<void> {
    return this.provider.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

class FaultyIngest implements Ingest {
  private broken = false;

  constructor(
    private readonly ingest: Ingest,
    private readonly storage: FaultyStorage,
  ) {}

  get size(): number {
    return this.ingest.size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    if (this.broken) throw new Error('an ingest was appended to after it had failed');
    const fits = Math.min(chunk.length, this.storage.space);
    this.storage.space -= fits;
    if (fits > 0) await this.ingest.append(chunk.subarray(0, fits));
    try {
      this.storage.check('append');
      if (fits < chunk.length) throw new StorageError('full', 'no space is left');
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }

  copy: Ingest['copy'] = (range, sink, signal) => this.ingest.copy(range, sink, signal);

  async commit(key: string): Promise<void> {
    try {
      this.storage.check('commit');
    } catch (error) {
      await this.ingest.abort();
      throw error;
    }
    await this.ingest.commit(key);
  }

  abort(): Promise<void> {
    return this.ingest.abort();
  }

  close(): Promise<void> {
    return this.ingest.close();
  }
}
