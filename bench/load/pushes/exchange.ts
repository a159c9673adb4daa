import { connect, type Socket } from 'node:net';

/** How long a connection may be silent before its request counts as failed. */
const silence = 120_000;
const headEnd = Buffer.from('\r\n\r\n');

export interface ExchangeResponse {
  readonly status: number;
  /** Of the Location header. */
  readonly location: string | undefined;
}

interface Waiting {
  readonly method: string;
  resolve(response: ExchangeResponse): void;
  reject(error: Error): void;
}

/**
 * A connection that sends one request after the other with as little work as possible: pieces are handed to the kernel as
 * they are, and of a response only the head is looked at.
 */
export class Exchange {
  private readonly socket: Socket;
  private waiting: Waiting | undefined;
  private received: Buffer = Buffer.alloc(0);

  constructor(private readonly origin: URL) {
    this.socket = connect({ host: origin.hostname, port: Number(origin.port), noDelay: true });
    this.socket.setTimeout(silence, () => this.socket.destroy(new Error(`silent for ${silence / 1000} s`)));
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('the connection was closed')));
  }

  /** @param pieces of the body, in this order. */
  send(method: string, target: string, headers: string, pieces: readonly Buffer[] = []): Promise<ExchangeResponse> {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const head = `${method} ${target} HTTP/1.1\r\nHost: ${this.origin.host}\r\n${headers}`;
    const body = method === 'HEAD' || method === 'GET' ? '' : `Content-Length: ${length}\r\n`;
    return new Promise((resolve, reject) => {
      this.waiting = { method, resolve, reject };
      this.socket.cork();
      this.socket.write(`${head}${body}\r\n`);
      for (const piece of pieces) this.socket.write(piece);
      this.socket.uncork();
    });
  }

  close(): void {
    this.waiting = undefined;
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    const { waiting } = this;
    const end = this.received.indexOf(headEnd);
    if (!waiting || end < 0) return;
    const head = this.received.toString('latin1', 0, end + 2);
    const isHead = waiting.method === 'HEAD';
    const length = isHead ? 0 : Number(/^content-length: *(\d+)\r$/im.exec(head)?.[1] ?? 0);
    if (this.received.length < end + headEnd.length + length) return;
    this.received = Buffer.alloc(0);
    this.waiting = undefined;
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 0);
    waiting.resolve({ status, location: /^location: *(\S+)\r$/im.exec(head)?.[1] });
  }

  private fail(error: Error): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.reject(error);
  }
}
