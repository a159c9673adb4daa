import { totalmem } from 'node:os';
import { connectionKey, readSocketTable, type EndPoints, type UnsentBytes } from './socket.table.js';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** Bytes of a connection that Linux keeps at most, by default (tcp(7), tcp_wmem). */
const largestQueue = 4 * mebibyte;
/** Of the machine, or of the container if that has less. */
const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity);
/**
 * Bytes that the kernel may keep for all connections that are sent a body. When TCP has a sixteenth of the machine's
 * memory, Linux slows down every connection (tcp(7), tcp_mem).
 */
const defaultBudget = Math.min(256 * mebibyte, Math.max(64 * mebibyte, memory / 64));
/** Bounds of a slow connection's share of the budget, in bytes. */
const share = { least: 128 * kibibyte, most: mebibyte };

/**
 * Milliseconds between looks at the table of sockets, and between those that a new connection needs: as often as takes a
 * thirtieth of the time, and a tenth for new ones. The longest bounds what a busy machine adds to the delay.
 */
const usual = { least: 250, most: 1_000, perMillisecond: 30 };
const soon = { least: 25, most: 250, perMillisecond: 10 };
/** What a connection may have becomes at most so many times as much with each look. */
const growth = 4;
/** Milliseconds without limits after a look that has failed. */
const retryTime = 10_000;
/** Milliseconds after which a waiting connection continues with less room than half of what it may have. */
const longestWait = 5_000;

/** A chunk that is not written yet. */
interface Waiting {
  readonly since: number;
  readonly bytes: number;
  /** Taken from earlier chunks since `progress` was called. */
  taken: number;
  readonly progress: () => void;
  readonly resume: () => void;
}

/** What the kernel keeps for a connection that is sent a body. */
export class SendQueue {
  private key: string | undefined;
  /** Bytes at the last look, and written since then. */
  private queued = 0;
  private written = 0;
  private allowed: number | undefined;
  /** Whether it may turn out to be faster than what it may have allows. */
  private isGrowing = true;
  /** Whether the client has taken something since it could last be sent more. */
  private hasTaken = false;
  private waiting: Waiting | undefined;

  constructor(
    readonly socket: EndPoints,
    private readonly queues: SendQueues,
  ) {}

  /** To be called with what is written to the connection. */
  wrote(bytes: number): void {
    this.written += bytes;
  }

  /**
   * Resolves when the connection may be sent more, or is sent nothing more; undefined when it may be now.
   * @param bytes of the next chunk
   * @param progress called when the client has taken as much of what was written before
   */
  room(bytes: number, progress: () => void): Promise<void> | undefined {
    if (!this.queues.isCrowded || this.queued + this.written < (this.allowed ?? this.queues.share)) return undefined;
    this.queues.wait(this, this.isGrowing ? soon.least : usual.least);
    return new Promise((resume) => (this.waiting = { since: performance.now(), bytes, taken: 0, progress, resume }));
  }

  resume(): void {
    this.hasTaken = false;
    this.waiting?.resume();
    this.waiting = undefined;
  }

  /** Decides how much it may have until the next look. */
  update(unsent: UnsentBytes, now: number): void {
    this.key ??= connectionKey(this.socket);
    const queued = this.key === undefined ? undefined : unsent.get(this.key);
    const taken = this.queued + this.written - (queued ?? 0);
    [this.queued, this.written] = [queued ?? 0, 0];
    const { share } = this.queues;
    // A client that has taken nearly all it was sent may be faster, or it has a large buffer itself.
    const isFast = taken > share / 2 && taken > 3 * this.queued;
    const most = growth * (this.allowed ?? share);
    this.allowed = Math.max(share, Math.min(most, isFast ? Infinity : 2 * taken));
    this.isGrowing = isFast;
    if (queued === undefined || this.allowed >= largestQueue) this.allowed = Infinity;
    this.hasTaken ||= taken > 0 || queued === undefined;
    if (this.waiting) this.proceed(this.waiting, this.allowed - this.queued, taken, now);
  }

  private proceed(waiting: Waiting, room: number, taken: number, now: number): void {
    waiting.taken += taken;
    if (waiting.taken >= waiting.bytes) {
      waiting.taken = 0;
      waiting.progress();
    }
    // Others that leave make room, too, but a client that takes nothing has nothing to be sent and its deadline to meet.
    if (!this.hasTaken) return;
    // With less than half of what it may have it would wait again at once.
    if (room >= this.queued || (room > 0 && now - waiting.since > longestWait)) this.queues.resume(this);
  }
}

/**
 * Bounds what the kernel keeps for clients that are slow. Only a full queue shows that a client is slow, and on a fast
 * network that takes megabytes for each: while many connections are sent bodies, the kernel is asked what each has taken,
 * and the slow ones get no more than their share. Few connections, and systems that do not tell, have no such limit.
 */
export class SendQueues {
  private readonly active = new Set<SendQueue>();
  private readonly waiting = new Set<SendQueue>();
  private readonly known = new WeakMap<EndPoints, SendQueue>();
  private timer: NodeJS.Timeout | undefined;
  /** When the timer fires, and when the next look may be, on the monotonic clock. */
  private due = Infinity;
  private earliest = 0;
  private isLooking = false;
  private blindUntil = 0;

  /** @param budget bytes for all connections together */
  constructor(
    private readonly budget = defaultBudget,
    private readonly read: () => Promise<UnsentBytes | undefined> = readSocketTable,
  ) {}

  /** Begins a body; `leave` ends it. */
  enter(socket: EndPoints): SendQueue {
    const queue = this.known.get(socket) ?? new SendQueue(socket, this);
    this.known.set(socket, queue);
    this.active.add(queue);
    return queue;
  }

  leave(queue: SendQueue): void {
    this.active.delete(queue);
    this.resume(queue);
    if (!this.isCrowded) this.stop();
  }

  /** Has it updated, and resumed when it has room. */
  wait(queue: SendQueue, milliseconds: number): void {
    this.waiting.add(queue);
    this.lookWithin(milliseconds);
  }

  resume(queue: SendQueue): void {
    this.waiting.delete(queue);
    queue.resume();
  }

  /** Whether the connections could exceed the budget if all were slow. */
  get isCrowded(): boolean {
    return this.active.size > this.budget / largestQueue && performance.now() >= this.blindUntil;
  }

  /** Bytes that a connection may have in any case. */
  get share(): number {
    return Math.min(share.most, Math.max(share.least, this.budget / this.active.size));
  }

  private lookWithin(milliseconds: number): void {
    const now = performance.now();
    const due = Math.max(this.earliest, now + milliseconds);
    if (this.isLooking || due >= this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => void this.look(), due - now).unref();
  }

  private async look(): Promise<void> {
    this.due = Infinity;
    this.isLooking = true;
    const begin = performance.now();
    // Without a table nobody is limited.
    const unsent = await this.read().catch(() => undefined);
    this.isLooking = false;
    const now = performance.now();
    this.earliest = now + pauseAfter(now - begin, soon);
    if (!unsent) this.blindUntil = now + retryTime;
    if (!unsent || !this.isCrowded) {
      this.stop();
      return;
    }
    for (const queue of this.active) queue.update(unsent, now);
    this.lookWithin(pauseAfter(now - begin, usual));
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.due = Infinity;
    for (const queue of this.waiting) this.resume(queue);
  }
}

function pauseAfter(milliseconds: number, { least, most, perMillisecond }: typeof usual): number {
  return Math.min(most, Math.max(least, perMillisecond * milliseconds));
}
