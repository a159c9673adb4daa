import { checkIngestId } from '../../keys.js';
import { notFound } from '../../storage-error.js';
import type { ResumableIngest, ResumableIngests } from '../../storage.provider.js';
import { parseCheckpoint } from '../checkpoint.js';
import { attempt, MemoryIngest } from './memory.ingest.js';

/** The bytes of one writer at its last checkpoint. A writer never changes those of another. */
interface Kept {
  readonly writer: number;
  readonly content: Buffer;
  readonly usedAt: number;
}

/** Resumable as long as the process runs. */
export class MemoryIngests implements ResumableIngests {
  readonly commitsCopy = true;
  private readonly kept = new Map<string, Kept[]>();
  private readonly open = new Map<number, string>();
  private writers = 0;

  constructor(private readonly put: (key: string, content: Buffer) => void) {}

  begin(id: string): Promise<ResumableIngest> {
    return attempt(() => this.write(checkIngestId(id)));
  }

  resume(id: string, checkpoint: string): Promise<ResumableIngest> {
    return attempt(() => {
      const { writer, size } = parseCheckpoint(checkpoint);
      if (size === 0) return this.write(checkIngestId(id));
      const kept = this.kept.get(checkIngestId(id))?.find((one) => one.writer === writer);
      if (!kept || kept.content.length < size) throw notFound();
      return this.write(id, kept.content.subarray(0, size));
    });
  }

  discard(id: string): Promise<void> {
    return attempt(() => void this.kept.delete(checkIngestId(id)));
  }

  async sweep(age: number, isKept: (id: string) => Promise<boolean>): Promise<number> {
    const inUse = new Set(this.open.values());
    let swept = 0;
    for (const [id, kept] of this.kept) {
      const usedAt = Math.max(...kept.map((one) => one.usedAt));
      if (inUse.has(id) || usedAt > Date.now() - age || (await isKept(id))) continue;
      this.kept.delete(id);
      swept += 1;
    }
    return swept;
  }

  private write(id: string, content?: Buffer): ResumableIngest {
    const writer = (this.writers += 1);
    this.open.set(writer, id);
    const keep = (bytes: Buffer) => {
      const others = this.kept.get(id)?.filter((one) => one.writer !== writer) ?? [];
      if (bytes.length > 0) this.kept.set(id, [...others, { writer, content: bytes, usedAt: Date.now() }]);
      return JSON.stringify({ writer, size: bytes.length });
    };
    // Its own copy, which later checkpoints of other writers do not change.
    if (content) keep(content);
    return new MemoryResumableIngest(this.put, content, {
      keep,
      discard: () => void this.kept.delete(id),
      close: () => void this.open.delete(writer),
    });
  }
}

interface Owner {
  /** @returns the checkpoint */
  keep(content: Buffer): string;
  discard(): void;
  close(): void;
}

class MemoryResumableIngest extends MemoryIngest implements ResumableIngest {
  constructor(
    put: (key: string, content: Buffer) => void,
    content: Buffer | undefined,
    private readonly owner: Owner,
  ) {
    super(put, content);
  }

  checkpoint(): Promise<string> {
    return attempt(() => {
      this.checkOpen();
      return this.owner.keep(this.content);
    });
  }

  override close(): Promise<void> {
    return attempt(() => this.owner.close());
  }

  protected override end(): void {
    super.end();
    this.owner.discard();
  }
}
