import type { ServerResponse } from 'node:http';
import type { SendQueue } from '../server/send.queues.js';
import { disconnect, unwatch, watchSlow, type SlowPart } from '../server/slow.clients.js';

/** Disconnects a client that does not take the end of a response within `timeout` milliseconds, whoever wrote it. */
export function watchEnd(response: ServerResponse, timeout: number): void {
  response.once('prefinish', () => watchRest(response, timeout));
}

/** The same for a response that has just been ended. */
export function watchRest(response: ServerResponse, timeout: number): void {
  // A response that ends after its client has left closes no second time.
  if (response.destroyed) return;
  const since = performance.now();
  const end: SlowPart = {
    cutIfSlow: (now) => {
      if (now - since > timeout) disconnect(response);
    },
  };
  watchSlow(end);
  response.once('close', () => unwatch(end));
}

/** Writes to a response and waits until the kernel has the bytes, so that the caller can reuse its buffer. */
export class ResponseSink implements SlowPart {
  private readonly aborter = new AbortController();
  private reject: ((error: Error) => void) | undefined;
  private since = 0;

  /**
   * @param timeout milliseconds that a client may take for one chunk, of 256 KiB at most, before it is disconnected
   * @param queue of its connection, whose owner removes it
   */
  constructor(
    private readonly response: ServerResponse,
    private readonly timeout: number,
    private readonly queue?: SendQueue,
  ) {
    response.once('close', this.closed);
    if (response.destroyed) this.closed();
  }

  /** Aborts when the client has left or was too slow. */
  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.signal.aborted) {
        reject(new Error('the client has left'));
        return;
      }
      this.reject = reject;
      this.since = performance.now();
      watchSlow(this);
      const room = this.queue?.room(chunk.length, () => (this.since = performance.now()));
      if (room) void room.then(() => this.give(chunk, resolve, reject));
      else this.give(chunk, resolve, reject);
    });
  }

  private give(chunk: Uint8Array, resolve: () => void, reject: (error: Error) => void): void {
    // The client has left while this waited.
    if (this.signal.aborted) return;
    this.queue?.wrote(chunk.length);
    // Node does not call back when a pipelined response closes before its first byte was sent.
    this.response.write(chunk, (error) => {
      unwatch(this);
      if (error) reject(error);
      else resolve();
    });
  }

  /** Disconnects a client that has taken nothing for too long. */
  cutIfSlow(now: number): void {
    if (now - this.since > this.timeout) disconnect(this.response);
  }

  close(): void {
    unwatch(this);
    this.response.off('close', this.closed);
  }

  private readonly closed = () => {
    unwatch(this);
    if (this.response.writableFinished) return;
    this.aborter.abort();
    this.reject?.(new Error('the client has left'));
  };
}
