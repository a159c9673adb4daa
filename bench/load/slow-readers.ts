import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../scope.js';

export interface SlowReading {
  readonly url: string;
  readonly count: number;
  /** Of each reader. */
  readonly bytesPerSecond: number;
}

const tick = 250;

/** Clients that take what they are sent a little at a time, as from a thin line; they cost the load generator nothing. */
export class SlowReaders {
  private readonly complaints: string[] = [];
  private isStopping = false;

  private constructor(private readonly sockets: readonly Socket[]) {}

  /** Resolves when all of them have the beginning of their answers. */
  static async start(scope: Scope, { url, count, bytesPerSecond }: SlowReading): Promise<SlowReaders> {
    const { hostname, port, host, pathname } = new URL(url);
    const sockets = Array.from({ length: count }, () => connect({ host: hostname, port: Number(port) }));
    const readers = new SlowReaders(sockets);
    await scope.defer(() => readers.close());
    const heads = sockets.map(async (socket) => {
      socket.on('error', (error) => readers.complain(error.message));
      socket.on('close', () => readers.complain('a slow reader was cut'));
      socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      await once(socket, 'readable');
      const head = String(socket.read(64) ?? '');
      if (!head.startsWith('HTTP/1.1 200 ')) readers.complain(`a slow reader got ${head.split('\r\n', 1)[0] ?? ''}`);
      void readers.read(socket, Math.round((bytesPerSecond * tick) / 1000));
    });
    await Promise.all(heads);
    return readers;
  }

  /** Ends them. @returns what went wrong with any of them until now */
  async stop(): Promise<string[]> {
    await this.close();
    return [...new Set(this.complaints)];
  }

  private async read(socket: Socket, portion: number): Promise<void> {
    while (!socket.destroyed) {
      socket.read(Math.min(portion, socket.readableLength || portion));
      await sleep(tick);
    }
  }

  private complain(complaint: string): void {
    if (!this.isStopping) this.complaints.push(complaint);
  }

  private async close(): Promise<void> {
    this.isStopping = true;
    const closed = this.sockets.filter((socket) => !socket.closed).map((socket) => once(socket, 'close'));
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
  }
}
