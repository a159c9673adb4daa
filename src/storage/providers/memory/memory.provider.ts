import { checkKey } from '../../keys.js';
import { notFound, StorageError } from '../../storage-error.js';
import {
  StorageProvider,
  type Ingest,
  type ObjectEntry,
  type ResumableIngests,
  type StoredObject,
} from '../../storage.provider.js';
import { attempt, copyOf, MemoryIngest } from './memory.ingest.js';
import { MemoryIngests } from './memory.ingests.js';

interface MemoryObject {
  readonly content: Buffer;
  readonly usedAt: Date;
}

/** Keeps objects in memory, for tests and as the shortest example of the port. */
export class MemoryProvider extends StorageProvider {
  private readonly objects = new Map<string, MemoryObject>();
  private readonly ingests = new MemoryIngests((key, content) => this.put(key, content));

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
    return Promise.resolve(new MemoryIngest((key, content) => this.put(key, content)));
  }

  override get resumable(): ResumableIngests | undefined {
    return this.ingests;
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
