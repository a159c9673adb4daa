import type { FastifyReply } from 'fastify';

/**
 * A response body that is produced while it is sent, at the client's speed. Nothing is queued: the kernel has each piece
 * before the next is produced.
 */
export class TextStream {
  private readonly aborter = new AbortController();

  /** The header has to be written before. A client that takes nothing for `clientTimeout` is disconnected. */
  constructor(private readonly reply: FastifyReply) {
    const { raw, server } = reply;
    raw.once('close', this.closed);
    if (raw.destroyed) this.closed();
    const timeout: number = server.getDecorator('clientTimeout');
    // Every write that the client takes restarts Node's socket timeout.
    raw.setTimeout(timeout, () => raw.destroy());
  }

  /** Aborts when the client has left. */
  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  /** @throws when the client has left */
  write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.signal.throwIfAborted();
      const leave = () => reject(new Error('the client has left'));
      this.signal.addEventListener('abort', leave, { once: true });
      this.reply.raw.write(text, (error) => {
        this.signal.removeEventListener('abort', leave);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  end(): void {
    this.reply.raw.off('close', this.closed);
    this.reply.raw.setTimeout(0);
    this.reply.raw.end();
  }

  /** Resets the connection, so that no client takes a part for the whole. */
  break(): void {
    this.reply.raw.socket?.resetAndDestroy();
    this.reply.raw.destroy();
  }

  private readonly closed = () => this.aborter.abort(new Error('the client has left'));
}
