import { OciError } from '../../oci/error.js';
import type { PushBody, TakeChunk } from '../push.js';

/** How a push ended: `refused` because of the client, `failed` because of the server. */
export type PushResult = 'accepted' | 'mounted' | 'refused' | 'failed';
export type PushKind = 'blob' | 'manifest';

const none = (): Record<PushResult, number> => ({ accepted: 0, mounted: 0, refused: 0, failed: 0 });

/** The body of a blob, or of a part of one, that is being received. */
export interface ReceivedBody {
  readonly repository: string;
  /** Bytes of this request so far. */
  received: number;
  /** Bytes of this request; undefined if its client did not say. */
  readonly size: number | undefined;
}

/** Pushes to one namespace since the start. */
export class PushCounts {
  readonly results: Readonly<Record<PushKind, Record<PushResult, number>>> = { blob: none(), manifest: none() };
  /** Bytes of blobs and manifests received, those of refused ones included. */
  received = 0;
  /** Of the requests whose blob is being received. */
  readonly bodies = new Set<ReceivedBody>();

  /** Requests whose blob is being received. */
  get running(): number {
    return this.bodies.size;
  }

  /**
   * Counts a request that receives a blob, or a part of it, while it runs.
   * @param action gets the same body, whose bytes are counted as they are read
   */
  async receiving<T>(repository: string, body: PushBody, action: (body: PushBody) => Promise<T>): Promise<T> {
    const progress = { repository, received: 0, size: body.length };
    this.bodies.add(progress);
    try {
      return await action(this.counted(body, progress));
    } finally {
      this.bodies.delete(progress);
    }
  }

  private counted(body: PushBody, progress: ReceivedBody): PushBody {
    const chunks = () => this.chunksOf(body, progress);
    if (!body.pass) return { length: body.length, chunks };
    const pass = (take: TakeChunk, signal: AbortSignal) =>
      body.pass?.((chunk) => {
        this.received += chunk.length;
        progress.received += chunk.length;
        return take(chunk);
      }, signal) ?? Promise.resolve();
    return { length: body.length, chunks, pass };
  }

  private chunksOf(body: PushBody, progress: ReceivedBody): AsyncIterableIterator<Uint8Array> {
    const inner = body.chunks()[Symbol.asyncIterator]();
    const count = (next: IteratorResult<Uint8Array, unknown>): IteratorResult<Uint8Array, unknown> => {
      if (next.done === true) return next;
      this.received += next.value.length;
      progress.received += next.value.length;
      return next;
    };
    const chunks: AsyncIterableIterator<Uint8Array> = {
      [Symbol.asyncIterator]: () => chunks,
      next: () => inner.next().then(count),
      return: async () => (await inner.return?.()) ?? { done: true, value: undefined },
    };
    return chunks;
  }

  /** Counts how a push ends. */
  async ending<T>(kind: PushKind, action: () => Promise<T>): Promise<T> {
    try {
      const result = await action();
      this.results[kind].accepted += 1;
      return result;
    } catch (error) {
      this.results[kind][resultOf(error)] += 1;
      throw error;
    }
  }
}

function resultOf(error: unknown): PushResult {
  return error instanceof OciError && error.status < 500 ? 'refused' : 'failed';
}
