import type { ByteRange } from '../../../oci/byte-range.js';
import { notFound, StorageError } from '../../storage-error.js';
import type { ChunkSink, Ingest, ResumableIngest, ResumableIngests, StorageProvider } from '../../storage.provider.js';
import { parseCheckpoint } from '../../providers/checkpoint.js';

/** Ingests at the same time; each is an open file of most providers. */
const maxIngests = 256;
/** Milliseconds without use after which an ingest ends when another one needs its place. */
const minIdle = 60_000;

interface Entry {
  /** Undefined until there is a byte. */
  ingest: Ingest | undefined;
  /** Only the newest may append. */
  writer: number;
  /** The append that is under way. */
  running: Promise<unknown>;
  usedAt: number;
}

/** Ordinary ingests that other parts of this process can go on with, for providers without resumable ones. */
export class ProcessIngests implements ResumableIngests {
  /** Only the newest handle of an ingest can write it or commit it. */
  readonly commitsCopy = true;
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly provider: StorageProvider) {}

  /** @throws StorageError `failed` when there are too many */
  async begin(id: string): Promise<ResumableIngest> {
    await this.makeRoom();
    const entry = { ingest: undefined, writer: 0, running: Promise.resolve(), usedAt: performance.now() };
    this.entries.set(id, entry);
    return this.handle(id, entry);
  }

  async resume(id: string, checkpoint: string): Promise<ResumableIngest> {
    const { size } = parseCheckpoint(checkpoint);
    const entry = this.entries.get(id);
    if (!entry) throw notFound();
    const handle = this.handle(id, entry);
    await entry.running.catch(() => undefined);
    if ((entry.ingest?.size ?? 0) < size) throw notFound();
    if (entry.ingest && entry.ingest.size > size) await this.shorten(entry, entry.ingest, size);
    return handle;
  }

  async discard(id: string): Promise<void> {
    const entry = this.entries.get(id);
    this.entries.delete(id);
    await entry?.ingest?.abort();
    await entry?.ingest?.close();
  }

  async sweep(age: number, isKept: (id: string) => Promise<boolean>): Promise<number> {
    let swept = 0;
    for (const [id, { usedAt }] of this.entries) {
      if (performance.now() - usedAt < age || (await isKept(id))) continue;
      await this.discard(id);
      swept += 1;
    }
    return swept;
  }

  async close(): Promise<void> {
    for (const id of this.entries.keys()) await this.discard(id);
  }

  private handle(id: string, entry: Entry): ResumableIngest {
    entry.writer += 1;
    entry.usedAt = performance.now();
    return new ProcessIngest(entry, {
      create: () => this.provider.createIngest(),
      end: () => {
        if (this.entries.get(id) === entry) this.entries.delete(id);
      },
    });
  }

  /** Removes bytes that were appended after the checkpoint. */
  private async shorten(entry: Entry, longer: Ingest, size: number): Promise<void> {
    const shorter = size === 0 ? undefined : await this.provider.createIngest();
    try {
      await longer.copy({ offset: 0, length: size }, (chunk) => shorter?.append(chunk) ?? Promise.resolve());
    } catch (error) {
      await shorter?.abort();
      await shorter?.close();
      throw error;
    }
    entry.ingest = shorter;
    await longer.abort();
    await longer.close();
  }

  private async makeRoom(): Promise<void> {
    if (this.entries.size < maxIngests) return;
    const [oldest] = [...this.entries].sort(([, one], [, other]) => one.usedAt - other.usedAt);
    if (oldest && performance.now() - oldest[1].usedAt >= minIdle) return this.discard(oldest[0]);
    throw new StorageError('failed', 'there are too many unfinished uploads');
  }
}

class ProcessIngest implements ResumableIngest {
  private readonly writer: number;
  private hasEnded = false;

  constructor(
    private readonly entry: Entry,
    private readonly owner: { create(): Promise<Ingest>; end(): void },
  ) {
    this.writer = entry.writer;
  }

  get size(): number {
    return this.entry.ingest?.size ?? 0;
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.check();
    const { entry } = this;
    const run = async () => {
      entry.ingest ??= await this.owner.create();
      await entry.ingest.append(chunk);
    };
    const running = run();
    entry.running = running;
    entry.usedAt = performance.now();
    await running;
  }

  async copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    if (this.entry.ingest) return this.entry.ingest.copy(range, sink, signal);
    signal?.throwIfAborted();
    if (range.length > 0) throw new StorageError('damaged', 'the range exceeds the appended bytes');
  }

  checkpoint(): Promise<string> {
    return Promise.resolve().then(() => {
      this.check();
      return JSON.stringify({ size: this.size });
    });
  }

  async commit(key: string): Promise<void> {
    this.check();
    this.end();
    this.entry.ingest ??= await this.owner.create();
    await this.entry.ingest.commit(key);
  }

  async abort(): Promise<void> {
    if (this.hasEnded || this.entry.writer !== this.writer) return;
    this.end();
    await this.entry.ingest?.abort();
  }

  async close(): Promise<void> {
    if (this.hasEnded) await this.entry.ingest?.close();
  }

  private end(): void {
    this.hasEnded = true;
    this.owner.end();
  }

  private check(): void {
    if (this.hasEnded || this.entry.writer !== this.writer)
      throw new StorageError('failed', 'the ingest has ended or has been resumed elsewhere');
  }
}
