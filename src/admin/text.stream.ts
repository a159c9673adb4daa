import type { FastifyReply } from 'fastify';

/**
 * The body of an answer that is written while it comes into being, at the client's speed. Nothing is queued: a piece is
 * given to the kernel before the next is taken.
 */
export class TextStream {
  private readonly aborter = new AbortController();

  /** Its head has to be written. A client that takes nothing for the server's `clientTimeout` is cut off. */
  constructor(private readonly reply: FastifyReply) {
    const { raw, server } = reply;
    raw.once('close', this.closed);
    if (raw.destroyed) this.closed();
    const timeout: number = server.getDecorator('clientTimeout');
    // Node does not count a connection as idle that takes what it is sent.
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

  /** Breaks the connection, so that nobody takes a part for the whole. */
  break(): void {
    this.reply.raw.socket?.resetAndDestroy();
    this.reply.raw.destroy();
  }

  private readonly closed = () => this.aborter.abort(new Error('the client has left'));
}
