import { Worker } from 'node:worker_threads';
import { HashLost, type ContentHash } from './content-hash.js';
import { algorithms, HashRing, operations, source } from './hash.ring.js';

/** Milliseconds without a hash after which the thread ends. */
const defaultIdleTime = 10_000;
/** Bytes that are sent to the thread at once. */
const largestWrite = 256 * 1024;
/** Buffers of so many bytes that are kept for bytes that find no room. */
const idleBuffers = 16;
/** Milliseconds after which a thread that does nothing of what it is to do counts as ended. */
const stallTime = 10_000;
/** The thread keeps the states of some hashes. */
const limits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 };

/** A message of the thread: there is room in the ring, or a digest. */
interface Message {
  readonly id?: number;
  readonly hex?: string;
}

interface Pending {
  readonly id: number;
  readonly resolve: (hex: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Hashes content in a thread of its own, which is there only while something is hashed. Bytes go through a ring in shared
 * memory, so that neither thread waits for the other while there is room.
 */
export class HashThread {
  private current: Running | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @param idleTime milliseconds. @param code what the thread runs. */
  constructor(
    private readonly idleTime = defaultIdleTime,
    private readonly code = source,
  ) {}

  /** The thread's id; undefined while there is none. */
  get id(): number | undefined {
    return this.current?.worker.threadId;
  }

  /** A hash in the thread. */
  start(algorithm: string): ContentHash {
    clearTimeout(this.timer);
    if (!this.current || this.current.hasEnded) this.current = new Running(this.code);
    const running = this.current;
    return running.begin(algorithm, () => this.rest(running));
  }

  /** Ends the thread; its hashes are lost. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    const { current } = this;
    this.current = undefined;
    await current?.end();
  }

  private rest(running: Running): void {
    if (running !== this.current || running.count > 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.close(), this.idleTime).unref();
  }
}

/** One thread, from its start to its end. */
class Running {
  readonly worker: Worker;
  hasEnded = false;
  private readonly ring = new HashRing();
  private readonly hashes = new Set<number>();
  private readonly digests: Pending[] = [];
  /** Commands that wait for room, in order. */
  private readonly waiting: { readonly send: () => boolean; readonly resolve: () => void }[] = [];
  /** For bytes that wait: to allocate and to collect a buffer for each costs more than to hash them. */
  private readonly idle: Buffer[] = [];
  private lastId = 0;
  private watch: NodeJS.Timeout | undefined;

  constructor(code: string) {
    const { memory } = this.ring;
    this.worker = new Worker(code, { eval: true, workerData: memory, resourceLimits: limits });
    // Whoever waits for a digest has a connection open.
    this.worker.unref();
    this.worker.on('message', (message: Message) => this.receive(message));
    this.worker.on('error', () => this.lose());
    this.worker.on('exit', () => this.lose());
  }

  /** Hashes that have not ended. */
  get count(): number {
    return this.hashes.size;
  }

  /** @param onEnd called when the hash has ended. */
  begin(algorithm: string, onEnd: () => void): ContentHash {
    const id = (this.lastId += 1);
    this.hashes.add(id);
    void this.submit(() => this.ring.send(operations.begin, id, algorithms.indexOf(algorithm)));
    return {
      update: (bytes) => this.update(id, bytes),
      digest: () => this.digest(id),
      end: () => {
        if (!this.hashes.delete(id)) return;
        void this.submit(() => this.ring.send(operations.end, id));
        onEnd();
      },
    };
  }

  async end(): Promise<void> {
    clearTimeout(this.watch);
    await this.worker.terminate();
  }

  private update(id: number, bytes: Uint8Array): Promise<void> | undefined {
    if (!this.hashes.has(id)) return undefined;
    if (this.waiting.length === 0 && bytes.length <= largestWrite && this.ring.write(id, bytes)) return undefined;
    let last: Promise<void> | undefined;
    for (let first = 0; first < bytes.length; first += largestWrite)
      last = this.writeLater(id, bytes.subarray(first, first + largestWrite));
    return last;
  }

  /** Sends a copy of at most `largestWrite` bytes as soon as there is room. */
  private writeLater(id: number, bytes: Uint8Array): Promise<void> | undefined {
    const buffer = this.idle.pop() ?? Buffer.allocUnsafeSlow(largestWrite);
    buffer.set(bytes);
    const kept = buffer.subarray(0, bytes.length);
    return this.submit(() => {
      if (!this.ring.write(id, kept)) return false;
      if (this.idle.length < idleBuffers) this.idle.push(buffer);
      return true;
    });
  }

  private digest(id: number): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.hasEnded) {
        reject(new HashLost('the thread for hashes has ended'));
        return;
      }
      this.digests.push({ id, resolve, reject });
      this.watchProgress();
      void this.submit(() => this.ring.send(operations.digest, id));
    });
  }

  /** Sends a command now, or after those that wait. */
  private submit(send: () => boolean): Promise<void> | undefined {
    if (this.hasEnded || (this.waiting.length === 0 && send())) return undefined;
    this.watchProgress();
    return new Promise((resolve) => this.waiting.push({ send, resolve }));
  }

  /** Ends a thread that makes no progress while somebody waits for it. */
  private watchProgress(): void {
    const { done } = this.ring;
    this.watch ??= setTimeout(() => {
      this.watch = undefined;
      if (this.hasEnded || (this.waiting.length === 0 && this.digests.length === 0)) return;
      if (this.ring.done === done) {
        this.lose();
        void this.worker.terminate();
      } else this.watchProgress();
    }, stallTime).unref();
  }

  private receive({ id, hex }: Message): void {
    if (hex === undefined) {
      while (this.waiting[0]?.send() === true) this.waiting.shift()?.resolve();
      return;
    }
    const index = this.digests.findIndex((pending) => pending.id === id);
    if (index >= 0) this.digests.splice(index, 1)[0]?.resolve(hex);
  }

  private lose(): void {
    this.hasEnded = true;
    for (const { resolve } of this.waiting.splice(0)) resolve();
    for (const { reject } of this.digests.splice(0)) reject(new HashLost('the thread for hashes has ended'));
  }
}
