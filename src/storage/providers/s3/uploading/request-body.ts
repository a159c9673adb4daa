import { Readable } from 'node:stream';
import type { ChunkSink } from '../../../storage.provider.js';

/**
 * The body of one request, which the client library consumes with `pipe`. It waits until the kernel has taken a chunk and
 * then reuses its buffer, which avoids constant garbage collection. It emits `error` when the copy fails.
 */
export class RequestBody extends Readable {
  private readonly stop = new AbortController();

  /** @param copy passes all bytes to the sink in order; ends early when the signal is aborted. */
  constructor(private readonly copy: (sink: ChunkSink, signal: AbortSignal) => Promise<void>) {
    super();
  }

  override pipe<T extends NodeJS.WritableStream>(request: T): T {
    const { signal } = this.stop;
    const sink: ChunkSink = (chunk) =>
      new Promise((resolve, reject) => {
        // The callback is never called when the request ends before the chunk is written.
        const stopped = () => reject(signal.reason as Error);
        if (signal.aborted) {
          stopped();
          return;
        }
        signal.addEventListener('abort', stopped, { once: true });
        request.write(chunk, (error) => {
          signal.removeEventListener('abort', stopped);
          if (error) reject(error);
          else resolve();
        });
      });
    request.once('close', () => this.destroy());
    this.copy(sink, signal).then(
      () => request.end(),
      (error: unknown) => this.destroy(error as Error),
    );
    return request;
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.stop.abort(new Error('the request has ended'));
    callback(error);
  }
}
