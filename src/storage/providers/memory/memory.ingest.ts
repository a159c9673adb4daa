import type { ByteRange } from '../../../oci/byte-range.js';
import { copyRange } from '../../reading/copy.js';
import { StorageError } from '../../storage-error.js';
import type { ChunkSink, Ingest } from '../../storage.provider.js';

export class MemoryIngest implements Ingest {
  private hasEnded = false;

  constructor(
    private readonly put: (key: string, content: Buffer) => void,
    protected content: Buffer = Buffer.alloc(0),
  ) {}

  get size(): number {
    return this.content.length;
  }

  append(chunk: Uint8Array): Promise<void> {
    this.content = Buffer.concat([this.content, chunk]);
    return Promise.resolve();
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return copyOf(this.content, range, sink, signal);
  }

  commit(key: string): Promise<void> {
    return attempt(() => {
      this.checkOpen();
      this.end();
      this.put(key, this.content);
    });
  }

  abort(): Promise<void> {
    if (!this.hasEnded) this.end();
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** @throws StorageError `failed` after `commit` and `abort` */
  protected checkOpen(): void {
    if (this.hasEnded) throw new StorageError('failed', 'the ingest has ended');
  }

  protected end(): void {
    this.hasEnded = true;
  }
}

export function copyOf(content: Buffer, range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
  const read = (buffer: Buffer, length: number, position: number) =>
    Promise.resolve(content.copy(buffer, 0, position, position + length));
  return copyRange(read, range, sink, signal);
}

/** Turns a throw into a rejection. */
export async function attempt<T>(action: () => T): Promise<T> {
  return Promise.resolve().then(action);
}
