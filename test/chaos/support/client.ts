import net from 'node:net';
import { once } from 'node:events';
import http, { type IncomingHttpHeaders } from 'node:http';
import { request, type Reply, type RequestOptions } from '../../fakes/request.js';

/**
 * - right: complete, and the bytes that the digest names
 * - wrong: complete, and other bytes; or an error whose document is none: never to happen
 * - broken: it ended in a way that no client takes for the end
 * - refused: a status that is an error, with the specification's document
 */
export type Verdict = 'right' | 'wrong' | 'broken' | 'refused';

export interface Outcome {
  readonly verdict: Verdict;
  /** 0 when no answer came. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Pulls as an ordinary HTTP/1.1 client does. */
export async function pull(url: string, truth: Buffer, options: RequestOptions = {}): Promise<Outcome> {
  const reply = await request(url, options).catch(() => undefined);
  if (!reply) return { verdict: 'broken', status: 0, headers: {}, body: Buffer.alloc(0) };
  return judge(reply, truth);
}

/**
 * Pulls as an HTTP/1.0 client on a bare socket does: without a Content-Length the body lasts until FIN, so that only a
 * reset tells that it is not whole.
 */
export async function pullRaw(url: string, truth: Buffer): Promise<Outcome> {
  const { hostname, port, pathname } = new URL(url);
  const socket = net.connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let error: Error | undefined;
  socket.on('error', (cause) => (error = cause));
  socket.write(`GET ${pathname} HTTP/1.0\r\nhost: ${hostname}\r\n\r\n`);
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Node takes a reset that comes together with data for FIN; after a reset, though, nothing can be written any more.
  socket.on('end', () => socket.end('\r\n'));
  await new Promise((resolve) => socket.once('close', resolve));
  const answer = Buffer.concat(chunks);
  const end = answer.indexOf('\r\n\r\n');
  const lines = answer.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(lines[0] ?? '')?.[1] ?? 0);
  const headers = Object.fromEntries(
    lines.slice(1).map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  const body = answer.subarray(end + 4);
  const length = headers['content-length'];
  const isShort = length === undefined ? error !== undefined : body.length < Number(length);
  if (status === 0 || end === -1) return { verdict: 'broken', status, headers, body: Buffer.alloc(0) };
  return judge({ status, headers, body, ...(isShort && { error: error ?? new Error('it ended early') }) }, truth);
}

function judge({ status, headers, body, error }: Reply, truth: Buffer): Outcome {
  const outcome = (verdict: Verdict) => ({ verdict, status, headers, body });
  if (status >= 400) return outcome(!error && isErrorDocument(body) ? 'refused' : 'wrong');
  if (error) return outcome('broken');
  return outcome(body.equals(truth) ? 'right' : 'wrong');
}

function isErrorDocument(body: Buffer): boolean {
  try {
    const { errors } = JSON.parse(body.toString()) as { errors: { code: string; message: string }[] };
    return errors.length > 0 && errors.every(({ code, message }) => /^[A-Z_]+$/.test(code) && message.length > 0);
  } catch {
    return false;
  }
}

export const codeOf = ({ body }: { readonly body: Buffer }): string | undefined =>
  (JSON.parse(body.toString()) as { errors: { code: string }[] }).errors[0]?.code;

/** A client whose answer can be watched while it arrives, and that compares instead of keeping. */
export class Watcher {
  /** Bytes so far. */
  received = 0;
  isRight = true;
  /** When the first byte came, in milliseconds on the monotonic clock. */
  firstByteAt: number | undefined;
  private readonly waiting = new Set<() => void>();

  private constructor(
    readonly response: http.IncomingMessage,
    private readonly sent: http.ClientRequest,
    private readonly truth: Buffer,
  ) {
    response.on('data', (chunk: Buffer) => {
      this.firstByteAt ??= performance.now();
      this.isRight &&= chunk.equals(truth.subarray(this.received, this.received + chunk.length));
      this.received += chunk.length;
      for (const wake of this.waiting) wake();
    });
    response.on('error', () => undefined);
  }

  /** Resolves when the answer's head is there. */
  static async open(url: string, truth: Buffer, headers: Record<string, string> = {}): Promise<Watcher> {
    const sent = http.get(url, { agent: false, headers });
    sent.on('error', () => undefined);
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    return new Watcher(response, sent, truth);
  }

  /** Resolves when that many bytes are there. */
  async has(bytes: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => {
        if (this.received < bytes) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }

  /** Reads no further until `resume`. */
  pause(): void {
    this.response.pause();
  }

  resume(): void {
    this.response.resume();
  }

  leave(): void {
    this.sent.destroy();
  }

  /** Waits for the end. Whether everything came, and all of it right. */
  async isWhole(): Promise<boolean> {
    if (!this.response.closed) await new Promise((resolve) => this.response.once('close', resolve));
    return this.response.complete && this.isRight && this.received === this.truth.length;
  }
}
