import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Heard {
  readonly status: number;
  /** Names in lower case; of a repeated field all values, joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Said {
  readonly headers?: readonly string[];
  /** Sent with Content-Length; a list is sent in chunks, without. */
  readonly body?: Buffer | string | readonly (Buffer | string)[] | undefined;
}

/** A keep-alive connection on which bytes are said as they are, and responses heard one after another. */
export class Conversation implements AsyncDisposable {
  private heard = Buffer.alloc(0);
  private changed: (() => void) | undefined;
  isOver = false;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.heard = Buffer.concat([this.heard, chunk]);
      this.changed?.();
    });
    // A reset is an end like any other; what was heard before counts.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.isOver = true;
      this.changed?.();
    });
  }

  static async open(url: string): Promise<Conversation> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new Conversation(socket);
  }

  /** The head and body of a request, as bytes. */
  static bytesOf(method: string, target: string, { headers = [], body }: Said = {}): Buffer {
    const framing =
      body === undefined
        ? []
        : [Array.isArray(body) ? 'transfer-encoding: chunked' : `content-length: ${Buffer.byteLength(body as string)}`];
    const host = headers.some((line) => /^host:/i.test(line)) ? [] : ['host: registry.test'];
    const head = [`${method} ${target} HTTP/1.1`, ...host, ...framing, ...headers].join('\r\n');
    return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), ...bodyBytes(body)]);
  }

  say(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** Sends a request and hears its response. */
  async ask(method: string, target: string, said: Said = {}): Promise<Heard> {
    this.say(Conversation.bytesOf(method, target, said));
    return this.hear({ isHead: method === 'HEAD' });
  }

  /** The next response, an interim one too. @throws when none comes in time */
  async hear({ isHead = false, deadline = 15_000 } = {}): Promise<Heard> {
    const end = performance.now() + deadline;
    for (;;) {
      const next = this.take(isHead);
      if (next) return next;
      if (this.isOver) throw new Error(`the connection ended after ${JSON.stringify(this.heard.toString('latin1'))}`);
      if (performance.now() > end) throw new Error(`no response within ${deadline} ms`);
      await Promise.race([new Promise<void>((resolve) => (this.changed = resolve)), sleep(100)]);
    }
  }

  /** Waits until the server ends the connection. */
  async ended(deadline = 15_000): Promise<void> {
    const end = performance.now() + deadline;
    while (!this.isOver) {
      if (performance.now() > end) throw new Error(`the connection did not end within ${deadline} ms`);
      await sleep(20);
    }
  }

  /** Leaves with a reset. */
  leave(): void {
    this.socket.resetAndDestroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    return Promise.resolve();
  }

  private take(isHead: boolean): Heard | undefined {
    const end = this.heard.indexOf('\r\n\r\n');
    if (end === -1) return undefined;
    const [first = '', ...lines] = this.heard.subarray(0, end).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const name = line.slice(0, line.indexOf(':')).toLowerCase();
      const value = line.slice(line.indexOf(':') + 1).trim();
      headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    }
    const isEmpty = isHead || status === 204 || status === 304 || status < 200;
    const length = isEmpty ? 0 : Number(headers['content-length']);
    if (Number.isNaN(length)) throw new Error(`a response without Content-Length: ${first}`);
    if (this.heard.length < end + 4 + length) return undefined;
    const body = this.heard.subarray(end + 4, end + 4 + length);
    this.heard = this.heard.subarray(end + 4 + length);
    return { status, headers, body };
  }
}

function bodyBytes(body: Said['body']): Buffer[] {
  if (body === undefined) return [];
  if (!Array.isArray(body)) return [Buffer.from(body as string)];
  const chunks = (body as (Buffer | string)[]).map((chunk) => {
    const bytes = Buffer.from(chunk as string);
    return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
  });
  return [...chunks, Buffer.from('0\r\n\r\n')];
}
