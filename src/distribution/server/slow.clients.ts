import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Milliseconds between checks for slow clients; one timer serves all of them. */
const interval = 5_000;

/** What a client has not taken, or not sent, yet. */
export interface SlowPart {
  /** @param now on the monotonic clock. */
  cutIfSlow(now: number): void;
}

const waiting = new Set<SlowPart>();
let timer: NodeJS.Timeout | undefined;

/** Checks it at intervals until `unwatch`. */
export function watchSlow(part: SlowPart): void {
  waiting.add(part);
  timer ??= setInterval(() => {
    const now = performance.now();
    for (const each of waiting) each.cutIfSlow(now);
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }, interval).unref();
}

export function unwatch(part: SlowPart): void {
  waiting.delete(part);
}

/**
 * Disconnects a client that takes too long. What it has not taken goes with the connection: after a mere end, the kernel
 * would keep megabytes and offer them for minutes. Connections that cannot be reset, as those with TLS, are closed.
 */
export function disconnect(response: ServerResponse): void {
  if (response.socket) resetConnection(response.socket);
  response.destroy();
}

/** Without what the client has not taken. */
export function resetConnection(socket: Socket): void {
  if (socket.remoteAddress !== undefined && !('encrypted' in socket)) socket.resetAndDestroy();
  else socket.destroy();
}
