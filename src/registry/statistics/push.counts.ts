import { OciError } from '../../oci/error.js';
import type { PushBody } from '../push.js';

/** How a push ended: `refused` because of the client, `failed` because of the server. */
export type PushResult = 'accepted' | 'mounted' | 'refused' | 'failed';
export type PushKind = 'blob' | 'manifest';

const none = (): Record<PushResult, number> => ({ accepted: 0, mounted: 0, refused: 0, failed: 0 });

/** Pushes to one namespace since the start. */
export class PushCounts {
  readonly results: Readonly<Record<PushKind, Record<PushResult, number>>> = { blob: none(), manifest: none() };
  /** Bytes of blobs and manifests received, those of refused ones included. */
  received = 0;
  /** Requests whose blob is being received. */
  running = 0;

  /** The same body, whose bytes are counted as they are read. */
  counted(body: PushBody): PushBody {
    return { length: body.length, chunks: () => this.chunksOf(body) };
  }

  private async *chunksOf(body: PushBody): AsyncGenerator<Uint8Array> {
    for await (const chunk of body.chunks()) {
      this.received += chunk.length;
      yield chunk;
    }
  }

  /** Counts a request that receives a blob, or a part of it, while it runs. */
  async receiving<T>(action: () => Promise<T>): Promise<T> {
    this.running += 1;
    try {
      return await action();
    } finally {
      this.running -= 1;
    }
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
