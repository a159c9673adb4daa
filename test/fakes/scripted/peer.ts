import { setTimeout as sleep } from 'node:timers/promises';
import type { Socket } from 'node:net';
import { pace } from '../pace.js';
import type { ScriptedRequest } from './request-parser.js';

/** The other end of a connection during one script. Everything it does rejects once the connection is gone. */
export class Peer {
  /**
   * @param transport the TCP socket: `socket` itself, or what is below it when that one is TLS.
   * @param signal aborted when the connection is gone.
   */
  constructor(
    private readonly socket: Socket,
    private readonly transport: Socket,
    readonly request: ScriptedRequest,
    readonly signal: AbortSignal,
  ) {}

  /** Bytes as they are; resolves when the kernel has taken them. */
  async write(bytes: Buffer | string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Bytes of a body, counted slice by slice as the client takes them. */
  async writeBody(body: Buffer, bytesPerSecond?: number): Promise<void> {
    for await (const slice of pace(body, bytesPerSecond, this.signal)) {
      await this.write(slice);
      this.request.bodyBytes += slice.length;
    }
  }

  async wait(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.signal });
  }

  /** Resolves when the connection is gone, whoever ended it. */
  async untilGone(): Promise<void> {
    if (this.signal.aborted) return;
    await new Promise((resolve) => this.signal.addEventListener('abort', resolve, { once: true }));
  }

  /** FIN after everything written. */
  async end(): Promise<void> {
    await new Promise<void>((resolve) => this.socket.end(() => resolve()));
  }

  /** RST. */
  reset(): void {
    this.transport.resetAndDestroy();
  }
}
