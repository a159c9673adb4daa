import type { ServerResponse } from 'node:http';

/** Milliseconds between checks for slow clients; one timer serves all responses. */
const watchInterval = 5_000;

/** A write that a client has not taken yet. */
interface Write {
  /** @param now on the monotonic clock. */
  cutIfSlow(now: number): void;
}

const waiting = new Set<Write>();
let watch: NodeJS.Timeout | undefined;

/** Disconnects a client that does not take the end of a response within `timeout` milliseconds, whoever wrote it. */
export function watchEnd(response: ServerResponse, timeout: number): void {
  response.once('prefinish', () => {
    // A response that ends after its client has left closes no second time.
    if (response.destroyed) return;
    const since = performance.now();
    const end: Write = { cutIfSlow: (now) => now - since > timeout && response.destroy() };
    startWatching(end);
    response.once('close', () => waiting.delete(end));
  });
}

/** Writes to a response and waits until the kernel has the bytes, so that the caller can reuse its buffer. */
export class ResponseSink {
  private readonly aborter = new AbortController();
  private reject: ((error: Error) => void) | undefined;
  private since = 0;

  /** @param timeout milliseconds that a client may take for one chunk, of 256 KiB at most, before it is disconnected. */
  constructor(
    private readonly response: ServerResponse,
    private readonly timeout: number,
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
      startWatching(this);
      // Node does not call back when a pipelined response closes before its first byte was sent.
      this.response.write(chunk, (error) => {
        waiting.delete(this);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Disconnects a client that has taken nothing for too long. */
  cutIfSlow(now: number): void {
    if (now - this.since > this.timeout) this.response.destroy();
  }

  close(): void {
    waiting.delete(this);
    this.response.off('close', this.closed);
  }

  private readonly closed = () => {
    waiting.delete(this);
    if (this.response.writableFinished) return;
    this.aborter.abort();
    this.reject?.(new Error('the client has left'));
  };
}

function startWatching(write: Write): void {
  waiting.add(write);
  watch ??= setInterval(() => {
    const now = performance.now();
    for (const slow of waiting) slow.cutIfSlow(now);
    if (waiting.size > 0) return;
    clearInterval(watch);
    watch = undefined;
  }, watchInterval).unref();
}
