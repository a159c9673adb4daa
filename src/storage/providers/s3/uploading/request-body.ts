import { Readable } from 'node:stream';
import type { ChunkSink } from '../../../storage.provider.js';

/**
 * The body of one request, which takes it with `pipe`, as the client library does. Each chunk is waited for until the
 * kernel has it, so that its buffer can be used again: a buffer for every chunk keeps the collector of garbage busy all
 * the time. It fails, with an `error` event, when the copy does.
 */
export class RequestBody extends Readable {
  private readonly stop = new AbortController();

  /** @param copy gives the sink all bytes in order; ends early when the signal says so. */
  constructor(private readonly copy: (sink: ChunkSink, signal: AbortSignal) => Promise<void>) {
    super();
  }

  override pipe<T extends NodeJS.WritableStream>(request: T): T {
    const { signal } = this.stop;
    const sink: ChunkSink = (chunk) =>
      new Promise((resolve, reject) => {
        // The callback does not come when the request ends before it was the chunk's turn.
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
