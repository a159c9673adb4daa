import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { resetConnection } from './slow.clients.js';
import { connectionKey, readSocketTable, type UnsentBytes } from './socket.table.js';

/** Bytes that a connection has to have been sent before its end is worth a look. */
const worthwhile = 64 * 1024;
/** Milliseconds between looks at the table of sockets, at least. */
const shortest = 1_000;

interface Suspect {
  /** Bytes that the client had taken at a look, and when that was, on the monotonic clock. */
  taken: number;
  since: number;
  /** Bytes that it had sent when its connection had been idle for too long; undefined before. */
  endsAt: number | undefined;
  readonly forget: () => void;
}

/**
 * Ends connections whose client leaves a response in the kernel, which is complete for Node: while the connection is idle,
 * and for minutes after its end, the kernel would keep up to 4 MiB of it. Such a connection is reset when its client has
 * taken nothing for the timeout. Only the kernel knows what it has taken: one look, a timeout after a large response,
 * serves all clients.
 */
export class UntakenResponses {
  private readonly suspects = new Map<Socket, Suspect>();
  private timer: NodeJS.Timeout | undefined;
  private due = Infinity;

  /** @param timeout milliseconds in which a client has to take something */
  constructor(
    private readonly timeout: number,
    private readonly read: () => Promise<UnsentBytes | undefined> = readSocketTable,
  ) {}

  /** Ends idle connections in the place of Node. */
  watch(server: Server): void {
    server.on('timeout', (socket: Socket) => this.end(socket));
  }

  /** To be called when a large response has been given to the kernel. */
  sent(socket: Socket): void {
    if (socket.destroyed) return;
    this.suspectOf(socket);
    this.lookWithin(this.timeout);
  }

  private end(socket: Socket): void {
    if (socket.bytesWritten <= worthwhile) {
      socket.destroy();
      return;
    }
    this.suspectOf(socket).endsAt = socket.bytesRead;
    this.lookWithin(shortest);
  }

  private suspectOf(socket: Socket): Suspect {
    const known = this.suspects.get(socket);
    if (known) return known;
    const forget = () => {
      this.suspects.delete(socket);
      socket.off('close', forget);
    };
    const suspect = { taken: -1, since: 0, endsAt: undefined, forget };
    this.suspects.set(socket, suspect);
    socket.on('close', forget);
    return suspect;
  }

  private lookWithin(milliseconds: number): void {
    const wait = Math.max(shortest, milliseconds);
    const due = performance.now() + wait;
    if (due >= this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => void this.look(), wait).unref();
  }

  private async look(): Promise<void> {
    // Without a table nobody is judged.
    const unsent = await this.read().catch(() => undefined);
    this.due = Infinity;
    const now = performance.now();
    for (const [socket, suspect] of this.suspects)
      this.judge(socket, suspect, unsent?.get(connectionKey(socket) ?? ''), now);
    if (this.suspects.size > 0) this.lookWithin(this.timeout);
  }

  private judge(socket: Socket, suspect: Suspect, unsent: number | undefined, now: number): void {
    if (unsent === undefined || unsent === 0) {
      suspect.forget();
      // Unless the client uses it again.
      if (suspect.endsAt === socket.bytesRead) socket.destroy();
      return;
    }
    const taken = socket.bytesWritten - unsent;
    if (taken > suspect.taken) Object.assign(suspect, { taken, since: now });
    else if (now - suspect.since >= this.timeout) resetConnection(socket);
  }
}
