import type { ByteRange } from '../../../oci/byte-range.js';
import { copyRange } from '../../reading/copy.js';
import { checkKey } from '../../keys.js';
import { notFound, StorageError } from '../../storage-error.js';
import {
  StorageProvider,
  type ChunkSink,
  type Ingest,
  type ObjectEntry,
  type StoredObject,
} from '../../storage.provider.js';

interface MemoryObject {
  readonly content: Buffer;
  readonly usedAt: Date;
}

/** Keeps objects in memory, for tests and as the shortest example of the port. */
export class MemoryProvider extends StorageProvider {
  private readonly objects = new Map<string, MemoryObject>();
  private readonly ingests = new Map<MemoryIngest, number>();

  initialize(): Promise<void> {
    return Promise.resolve();
  }

  read(key: string, limit: number): Promise<Buffer> {
    return attempt(() => {
      const { content } = this.get(key);
      if (content.length > limit) throw new StorageError('too-large', `the object has more than ${limit} bytes`);
      return Buffer.from(content);
    });
  }

  write(key: string, content: Uint8Array): Promise<void> {
    return attempt(() => this.put(key, Buffer.from(content)));
  }

  create(key: string, content: Uint8Array): Promise<boolean> {
    return attempt(() => {
      if (this.objects.has(checkKey(key))) return false;
      this.put(key, Buffer.from(content));
      return true;
    });
  }

  get isExclusive(): boolean {
    return true;
  }

  move(from: string, to: string): Promise<void> {
    return attempt(() => {
      this.put(to, this.get(from).content);
      if (from !== to) this.objects.delete(from);
    });
  }

  touch(key: string): Promise<void> {
    return attempt(() => this.put(key, this.get(key).content));
  }

  capacity(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  urlOf(key: string): Promise<undefined> {
    return attempt(() => void checkKey(key));
  }

  open(key: string): Promise<StoredObject> {
    return attempt(() => {
      const { content } = this.get(key);
      return {
        size: content.length,
        copy: (range, sink, signal) => copyOf(content, range, sink, signal),
        close: () => Promise.resolve(),
      };
    });
  }

  stat(key: string): Promise<ObjectEntry> {
    return attempt(() => {
      const { content, usedAt } = this.get(key);
      return { key, size: content.length, usedAt };
    });
  }

  delete(key: string): Promise<void> {
    return attempt(() => void this.objects.delete(checkKey(key)));
  }

  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    const folder = `${checkKey(prefix)}/`;
    for (const key of [...this.objects.keys()].sort()) {
      if (key.startsWith(folder) && this.objects.has(key)) yield await this.stat(key);
    }
  }

  createIngest(): Promise<Ingest> {
    const ingest = new MemoryIngest(
      (key, content) => this.put(key, content),
      (used) => this.ingests.set(used, Date.now()),
      (ended) => this.ingests.delete(ended),
    );
    return Promise.resolve(ingest);
  }

  /** Ingests in memory never outlive their process. */
  sweepIngests(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    this.objects.clear();
    return Promise.resolve();
  }

  private get(key: string): MemoryObject {
    const object = this.objects.get(checkKey(key));
    if (!object) throw notFound();
    return object;
  }

  private put(key: string, content: Buffer): void {
    this.objects.set(checkKey(key), { content, usedAt: new Date() });
  }
}

class MemoryIngest implements Ingest {
  private content = Buffer.alloc(0);
  private ended = false;

  constructor(
    private readonly put: (key: string, content: Buffer) => void,
    private readonly used: (ingest: MemoryIngest) => void,
    private readonly forget: (ingest: MemoryIngest) => void,
  ) {
    this.used(this);
  }

  get size(): number {
    return this.content.length;
  }

  append(chunk: Uint8Array): Promise<void> {
    this.content = Buffer.concat([this.content, chunk]);
    this.used(this);
    return Promise.resolve();
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return copyOf(this.content, range, sink, signal);
  }

  commit(key: string): Promise<void> {
    return attempt(() => {
      if (this.ended) throw new StorageError('failed', 'the ingest has ended');
      this.end();
      this.put(key, this.content);
    });
  }

  abort(): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.forget(this);
  }
}

function copyOf(content: Buffer, range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
  const read = (buffer: Buffer, length: number, position: number) =>
    Promise.resolve(content.copy(buffer, 0, position, position + length));
  return copyRange(read, range, sink, signal);
}

/** Turns a throw into a rejection. */
async function attempt<T>(action: () => T): Promise<T> {
  return Promise.resolve().then(action);
}
