import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { interceptReads, readsIntoOneBuffer } from './one-buffer.js';

/**
 * Consumes one chunk of a body, which is only valid during the call. It returns a promise to receive nothing more until
 * that resolves. What it throws or rejects with ends the body.
 */
export type ChunkTaker = (chunk: Buffer) => Promise<void> | undefined;

/** Property of Node's HTTP parser with its callback for body bytes (`HTTPParser.kOnBody`). */
const onBody = 3;

interface Parser {
  [onBody]: unknown;
}

/**
 * Passes the bytes of a body of stated length to `take` as they arrive in the connection's buffer. The parser still counts
 * them, so that the connection can be used again, but neither copies them nor passes them through a stream: that costs
 * more than to hash them.
 * @returns whether all of it has been taken, when the body has closed; undefined when the body has to be read as a stream.
 */
export function takeDirectly(body: IncomingMessage, take: ChunkTaker): Promise<boolean> | undefined {
  if (!readsIntoOneBuffer(body.socket) || !parserOf(body.socket)) return undefined;
  const length = statedLength(body);
  if (length === undefined || body.readableDidRead || body.destroyed || body.complete) return undefined;
  return new DirectBody(body, length, take).done;
}

/** Content-Length of a body without another framing. */
function statedLength({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  const isFramed = headers['transfer-encoding'] === undefined && length !== undefined && /^\d{1,15}$/.test(length);
  return isFramed ? Number(length) : undefined;
}

/** The parser of a response; undefined if it is not as this file expects, as it might be in a later version of Node. */
function parserOf(socket: Socket): Parser | undefined {
  const { parser } = socket as { parser?: Parser | null };
  const callback = parser?.[onBody];
  return typeof callback === 'function' && callback.name === 'parserOnBody' ? (parser ?? undefined) : undefined;
}

class DirectBody {
  readonly done: Promise<boolean>;
  private readonly socket: Socket;
  /** Chunks that arrived although the connection was paused: TLS gives all that it has decrypted. */
  private readonly queue: Buffer[] = [];
  private taking: Promise<void> | undefined;
  private isClosed = false;
  private failure: { readonly error: Error } | undefined;
  private settle: () => void = () => undefined;

  /** @param left bytes of the body that have not arrived. */
  constructor(
    private readonly body: IncomingMessage,
    private left: number,
    private readonly take: ChunkTaker,
  ) {
    this.socket = body.socket;
    this.done = new Promise((resolve, reject) => {
      this.settle = () => {
        if (this.failure) reject(this.failure.error);
        else resolve(this.left === 0 && body.complete);
      };
    });
    body.once('close', () => this.close());
    const buffered = body.read() as Buffer | null;
    interceptReads(this.socket, (chunk) => this.receive(chunk));
    // The stream is now empty, and has to flow to end.
    body.resume();
    this.socket.resume();
    if (!buffered) return;
    this.left -= buffered.length;
    this.give(buffered);
  }

  private receive(chunk: Buffer): void {
    const part = chunk.length > this.left ? chunk.subarray(0, this.left) : chunk;
    this.left -= part.length;
    if (this.left > 0) this.count(chunk);
    else {
      // The end is the parser's and the stream's, which drops these last bytes.
      interceptReads(this.socket, undefined);
      this.socket.emit('data', chunk);
    }
    this.give(part);
  }

  /** Lets the parser count bytes of the body. */
  private count(chunk: Buffer): void {
    const parser = parserOf(this.socket);
    if (!parser) {
      this.socket.emit('data', chunk);
      return;
    }
    const callback = parser[onBody];
    parser[onBody] = undefined;
    try {
      this.socket.emit('data', chunk);
    } finally {
      parser[onBody] = callback;
    }
  }

  private give(chunk: Buffer): void {
    if (this.failure) return;
    if (this.taking) {
      this.queue.push(Buffer.from(chunk));
      // The stream may have resumed it.
      if (this.left > 0) this.socket.pause();
      return;
    }
    try {
      const taking = this.take(chunk);
      if (taking) this.taking = this.wait(taking);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Pauses the connection, unless it has received everything and may have another user. Never throws. */
  private async wait(taking: Promise<void>): Promise<void> {
    if (this.left > 0) this.socket.pause();
    try {
      await taking;
      for (let next = this.queue.shift(); next; next = this.queue.shift()) await this.take(next);
    } catch (error) {
      this.fail(error);
    }
    this.taking = undefined;
    if (this.isClosed) this.settle();
    else if (this.left > 0) this.socket.resume();
  }

  private fail(error: unknown): void {
    this.failure = { error: error instanceof Error ? error : new Error(String(error)) };
    this.body.destroy();
  }

  private close(): void {
    this.isClosed = true;
    if (this.left > 0) interceptReads(this.socket, undefined);
    if (!this.taking) this.settle();
  }
}
