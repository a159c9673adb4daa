import type { IncomingMessage, ServerResponse } from 'node:http';
import { releaseBytes } from '../../config/receiving/release-bytes.js';
import { OciError } from '../../oci/error.js';
import type { PushBody, TakeChunk } from '../../registry/push.js';
import { unwatch, watchSlow, type SlowPart } from '../server/slow.clients.js';
import { BodyFlow, type FlowWatch } from './body.flow.js';

/** Most milliseconds in which a body has to arrive that no route waits for longer. */
const wholeTimeout = 30_000;
/** Bytes per second of a streamed body below which its client counts as stalled. */
const slowest = 1024;
/** Bytes and milliseconds of a refused body that are read, so that its client sees the response instead of a reset. */
const drainSize = 16 * 1024 * 1024;
const drainTime = 5_000;

/** The body of one request, and its deadlines. Nothing of it is read before somebody asks for it. */
export class IncomingBody implements PushBody, SlowPart, FlowWatch {
  readonly length: number | undefined;
  /** Bytes read so far. */
  received = 0;
  private timer: NodeJS.Timeout;
  private failure: OciError | undefined;
  /** Of a route, and of `drain` when the request was refused while a body was read for it. */
  private readonly waiting = new Set<() => void>();
  private isRead = false;
  private isStreamed = false;
  private isListening = false;
  private isFlowing = false;
  /** Whether the client's time counts. */
  private isWaiting = false;
  /** The chunk that was passed on last, of a streamed body. */
  private passed: Uint8Array | undefined;
  private awaitsContinue: boolean;
  /** Milliseconds waited for the client, and what it has sent since they count. */
  private waited = 0;
  private since = 0;
  private arrived = 0;

  /**
   * @param timeout milliseconds in which a body has to arrive, or over which a streamed one has to make progress.
   * @param refuse ends a request whose body took too long while nobody was reading it.
   */
  constructor(
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    private readonly timeout: number,
    private readonly refuse: () => void,
  ) {
    const { 'content-length': length, expect = '' } = request.headers;
    this.length = length === undefined ? undefined : Number(length);
    this.awaitsContinue = /^100-continue$/i.test(expect);
    this.timer = this.cutAfter(Math.min(wholeTimeout, timeout));
    request.once('end', () => clearTimeout(this.timer));
    response.once('close', () => clearTimeout(this.timer));
  }

  /** Gives the whole body as long as a client may be idle. */
  extend(): void {
    clearTimeout(this.timer);
    this.timer = this.cutAfter(this.timeout);
  }

  /** Replaces the deadline for the whole body by one for its progress. */
  stream(): void {
    clearTimeout(this.timer);
    this.isStreamed = true;
  }

  private cutAfter(time: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.request.complete) return;
      if (this.isRead) this.fail(late());
      else this.refuse();
    }, time);
  }

  /** Whether something of it has not been read. */
  isPending(): boolean {
    return !this.request.readableEnded && !this.request.destroyed;
  }

  /** Whether the connection cannot be used after a response that leaves the rest of the body unread. */
  get endsConnection(): boolean {
    const rest = (this.length ?? Infinity) - this.received;
    const isTooMuch = rest > drainSize || this.awaitsContinue || this.failure !== undefined;
    return this.isPending() && !this.request.complete && isTooMuch;
  }

  /** Calls back when the exchange is over. */
  onceOver(callback: () => void): void {
    if (this.response.closed || this.response.destroyed) callback();
    else this.response.once('close', callback);
  }

  /** Fails it, because others need its place. */
  cut(): void {
    this.fail(late());
  }

  /** Without a generator, which costs three promises for each chunk. @throws OciError when the client stalls or leaves */
  chunks(): AsyncIterableIterator<Uint8Array> {
    this.isRead = true;
    this.confirm();
    this.listen();
    const chunks: AsyncIterableIterator<Uint8Array> = {
      [Symbol.asyncIterator]: () => chunks,
      next: () => this.nextChunk(),
    };
    return chunks;
  }

  /** Not beside `chunks`. @throws as documented there */
  async pass(take: TakeChunk, signal: AbortSignal): Promise<void> {
    this.isRead = true;
    this.confirm();
    signal.addEventListener('abort', this.wake, { once: true });
    this.isFlowing = true;
    const flow = new BodyFlow(this.request, take, this, this.wake);
    try {
      for (;;) {
        // What is being taken is not interrupted.
        if (flow.taking) await flow.taking;
        if (flow.failure) throw flow.failure.error;
        signal.throwIfAborted();
        if (this.failure) throw this.failure;
        if (this.request.readableEnded) return;
        if (this.request.destroyed) throw left();
        await this.event();
      }
    } finally {
      flow.stop();
      this.isFlowing = false;
      this.stopsWaiting(0);
      signal.removeEventListener('abort', this.wake);
    }
  }

  /** From now on the client's time counts. */
  waits(): void {
    if (!this.isStreamed) return;
    this.isWaiting = true;
    this.since = performance.now();
    watchSlow(this);
  }

  stopsWaiting(bytes: number): void {
    this.arrived += bytes;
    this.received += bytes;
    if (!this.isWaiting) return;
    this.isWaiting = false;
    this.waited += performance.now() - this.since;
    unwatch(this);
  }

  private async nextChunk(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.passed) releaseBytes(this.passed);
    this.passed = undefined;
    const value = this.take() ?? (await this.read());
    if (!value) return { done: true, value: undefined };
    this.stopsWaiting(value.length);
    if (this.isStreamed) this.passed = value;
    return { done: false, value };
  }

  /** Reads a bounded part of what is left of a body whose request has its response. */
  async drain(): Promise<void> {
    if (!this.isPending() || this.awaitsContinue) return;
    this.failure = undefined;
    this.isStreamed = false;
    const timer = setTimeout(() => this.fail(late()), drainTime);
    let left = drainSize;
    this.listen();
    try {
      while (left > 0) {
        const chunk = await this.read();
        if (!chunk) break;
        left -= chunk.length;
        // Otherwise it is not over with the chunk.
        if (!this.isFlowing) releaseBytes(chunk);
      }
      // The client still writes; what it sends from now on stays in the kernel until it has seen the response.
      while (this.isPending() && !this.isLate) await this.event();
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Fails a body that brought too little since its time began to count. */
  cutIfSlow(now: number): void {
    const waited = this.waited + (now - this.since);
    if (waited < this.timeout) return;
    if (this.arrived < (slowest * waited) / 1000) this.fail(late());
    else this.startCounting(now);
  }

  private get isLate(): boolean {
    return this.failure !== undefined;
  }

  private fail(error: OciError): void {
    this.failure ??= error;
    this.wake();
  }

  /** What is there. @throws OciError as `read` */
  private take(): Buffer | undefined {
    if (this.failure) throw this.failure;
    return (this.request.read() as Buffer | null) ?? undefined;
  }

  /** Waits for the next bytes; undefined at the end. @throws OciError when the client stalls or leaves */
  private async read(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.take();
      if (chunk || this.request.readableEnded) return chunk;
      if (this.request.destroyed) throw left();
      await (this.isStreamed ? this.watchedEvent() : this.event());
    }
  }

  private async watchedEvent(): Promise<void> {
    this.waits();
    await this.event();
    this.stopsWaiting(0);
  }

  private event(): Promise<void> {
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  private readonly wake = (): void => {
    const all = [...this.waiting];
    this.waiting.clear();
    for (const resolve of all) resolve();
  };

  private startCounting(now: number): void {
    this.since = now;
    this.waited = 0;
    this.arrived = 0;
  }

  private listen(): void {
    if (this.isListening) return;
    this.isListening = true;
    // The error of a connection that breaks comes with the end of the request.
    this.request.on('readable', this.wake).once('end', this.wake).once('close', this.wake).on('error', this.wake);
  }

  /** Tells a client that waits with its body to send it (RFC 9110 §10.1.1). */
  private confirm(): void {
    if (!this.awaitsContinue) return;
    this.awaitsContinue = false;
    this.response.writeContinue();
  }
}

function left(): OciError {
  return new OciError('REQUEST_INVALID', 'the client left before the end of the body');
}

function late(): OciError {
  return new OciError('REQUEST_INVALID', 'the body took too long', { status: 408 });
}
