import type { ServerResponse } from 'node:http';

/** Milliseconds between checks for slow clients; one timer serves all responses. */
const watchInterval = 5_000;

/** Something that a client is to take before its deadline. */
interface Watched {
  cutIfSlow(now: number): void;
}

const waiting = new Set<Watched>();
let watch: NodeJS.Timeout | undefined;

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
    if (isNotItsTurn(this.response)) this.since = now;
    else if (now - this.since > this.timeout) this.response.destroy();
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

/**
 * Ends a response with a small body, and cuts the client when it has not taken it in time.
 * @param timeout milliseconds.
 */
export function endWith(response: ServerResponse, body: string | Uint8Array | undefined, timeout: number): void {
  response.end(body);
  // The kernel has usually taken it all by now.
  if (response.writableLength === 0) return;
  let since = performance.now();
  const watched = {
    cutIfSlow(now: number) {
      if (isNotItsTurn(response)) since = now;
      else if (now - since > timeout) response.destroy();
    },
  };
  const stop = () => waiting.delete(watched);
  response.once('finish', stop).once('close', stop);
  startWatching(watched);
}

/** Whether an earlier response is still being sent on the connection (RFC 9112 §9.3.2): its client is not late here. */
function isNotItsTurn(response: ServerResponse): boolean {
  return response.socket === null && !response.destroyed;
}

function startWatching(watched: Watched): void {
  waiting.add(watched);
  watch ??= setInterval(() => {
    const now = performance.now();
    for (const slow of waiting) slow.cutIfSlow(now);
    if (waiting.size > 0) return;
    clearInterval(watch);
    watch = undefined;
  }, watchInterval).unref();
}
