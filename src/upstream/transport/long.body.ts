import type { BodyMemory, Hold } from '../../config/memory/body.memory.js';
import { UpstreamError } from '../upstream-error.js';
import { lengthOf } from './blob.body.js';
import { receiveBody, turn, type HeldBody } from './body.js';
import type { Exchange } from './transport.js';

/** Milliseconds between two looks at the progress of a long body, and the bytes that must have been read in between. */
const lookInterval = 15_000;
const leastProgress = 15 * 32 * 1024;
/** Milliseconds in which all of it must be read. */
const longest = 300_000;

/** Bytes between two pauses. */
const pauseSize = 128 * 1024;
/** Bytes of memory for a body whose length is not known, until it has more. */
const firstRoom = 64 * 1024;
/** Milliseconds until a body of unknown length has ended, or is long. */
const shortDeadline = 30_000;
/** Seconds after which there may be room again. */
const retryAfter = 5;

/**
 * A body that is not held whole: read as it arrives, at 32 KiB/s over any 15 s and within five minutes, whoever is slow.
 * The caller closes it; one that nobody reads is cut.
 */
export class LongBody {
  private readonly watch: NodeJS.Timeout;
  private readonly since = performance.now();
  private failure: UpstreamError | undefined;
  private read = 0;
  private unpaused = 0;

  /**
   * @param received what has arrived already
   * @param hold of room for as much as the reader keeps: the reader may release it
   */
  constructor(
    private readonly exchange: Exchange,
    private readonly chunks: AsyncIterator<Buffer>,
    private readonly received: Buffer[],
    readonly hold: Hold,
    private readonly count: (bytes: number) => void,
  ) {
    this.watch = setInterval(() => this.look(), lookInterval);
    exchange.body.once('close', () => clearInterval(this.watch));
  }

  /** The next chunk; undefined at the end. @throws UpstreamError `timeout` when it takes too long, `unavailable` when it is cut off */
  async next(): Promise<Buffer | undefined> {
    const chunk = this.received.shift() ?? (await this.receive());
    const length = chunk?.length ?? 0;
    this.read += length;
    this.unpaused += length;
    if (this.unpaused > pauseSize) await this.pause();
    if (this.failure) throw this.failure;
    return chunk;
  }

  /** Calls back when the connection is no longer used. */
  onClose(callback: () => void): void {
    if (this.exchange.body.closed) callback();
    else this.exchange.body.once('close', callback);
  }

  /** Ends it, whether or not it has been read. */
  close(): void {
    clearInterval(this.watch);
    this.hold.release();
    this.exchange.body.destroy();
  }

  /** Ends it because others need the room, or because somebody is too slow. */
  cut(): void {
    this.failure ??= new UpstreamError('timeout', `the response of ${this.exchange.host} took too long`);
    this.close();
  }

  private async receive(): Promise<Buffer | undefined> {
    const { body, host } = this.exchange;
    const next = await this.chunks.next().catch(() => undefined);
    if (next?.done === false) {
      this.count(next.value.length);
      return next.value;
    }
    if (next === undefined || !body.complete)
      this.failure ??= new UpstreamError('unavailable', `the response of ${host} was truncated`);
    return undefined;
  }

  /** What is here already, or arrives as fast as it is read, would otherwise be processed without a turn for others. */
  private async pause(): Promise<void> {
    this.unpaused = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }

  private look(): void {
    if (this.read < leastProgress || performance.now() - this.since > longest) this.cut();
    this.read = 0;
  }
}

/**
 * Reads a body into memory, unless it has more bytes than the limit.
 * @param count is told of all bytes that arrive.
 * @throws UpstreamError as `receiveBody`
 */
export async function receiveAny(
  exchange: Exchange,
  limit: number,
  memory: BodyMemory,
  owner: string,
  count: (bytes: number) => void,
): Promise<HeldBody | LongBody> {
  const declared = lengthOf(exchange.headers);
  if (declared === undefined || declared > limit)
    return new Receiver(exchange, limit, memory, owner, count).receive(declared);
  const held = await receiveBody(exchange, limit, memory, owner);
  count(held.content.length);
  return held;
}

/** Receives a body that is long, or may be. */
class Receiver {
  private readonly chunks: AsyncIterator<Buffer>;
  private readonly received: Buffer[] = [];
  private size = 0;
  private room = 0;
  private hold: Hold | undefined;
  private long: LongBody | undefined;
  private failure: UpstreamError | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly limit: number,
    private readonly memory: BodyMemory,
    private readonly owner: string,
    private readonly count: (bytes: number) => void,
  ) {
    this.chunks = (exchange.body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** @param declared bytes */
  async receive(declared: number | undefined): Promise<HeldBody | LongBody> {
    const { body, host } = this.exchange;
    const timer = setTimeout(() => this.fail(`the response of ${host} took too long`), shortDeadline);
    try {
      let hold = await this.reserve(declared === undefined ? firstRoom : this.limit);
      for (;;) {
        if ((declared ?? this.size) > this.limit) return this.goOn(hold);
        const next = await this.chunks.next().catch(() => undefined);
        if (this.failure) throw this.failure;
        if (next === undefined || (next.done === true && !body.complete))
          throw new UpstreamError('unavailable', `the response of ${host} was truncated`);
        if (next.done === true) return await this.end(hold);
        hold = await this.take(next.value, hold);
      }
    } catch (error) {
      this.hold?.release();
      body.destroy();
      throw this.failure ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  private async take(chunk: Buffer, hold: Hold): Promise<Hold> {
    this.count(chunk.length);
    this.size += chunk.length;
    this.received.push(chunk);
    const current = this.size > this.room && this.room < this.limit ? await this.reserve(this.limit) : hold;
    current.progress(chunk.length);
    return current;
  }

  private async end(hold: Hold): Promise<HeldBody> {
    await turn();
    if (this.failure) throw this.failure;
    const content = Buffer.concat(this.received, this.size);
    hold.complete();
    this.memory.bind(hold, content);
    return { content, hold };
  }

  private goOn(hold: Hold): LongBody {
    this.long = new LongBody(this.exchange, this.chunks, this.received, hold, this.count);
    return this.long;
  }

  private async reserve(bytes: number): Promise<Hold> {
    const { host } = this.exchange;
    const hold = await this.memory.take(this.owner, bytes, () => {
      if (this.long) this.long.cut();
      else this.fail(`${host} sends too slowly while others wait`);
    });
    if (!hold) throw new UpstreamError('unavailable', `there is no room for the response of ${host}`, retryAfter);
    this.hold?.release();
    [this.hold, this.room] = [hold, bytes];
    return hold;
  }

  private fail(message: string): void {
    this.failure ??= new UpstreamError('timeout', message);
    this.exchange.body.destroy();
  }
}
