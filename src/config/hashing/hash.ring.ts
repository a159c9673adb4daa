/** Bytes between the two threads: enough for either not to wait for the other, and few enough for the processor's cache. */
const capacity = 1024 * 1024;
/** Commands between the two threads, a power of two. */
const commandCount = 1024;

/** Places of numbers in the shared memory: what has been sent and done so far, and whether the sender waits for room. */
const [sentAt, doneAt, wantedAt, commandsAt] = [0, 1, 2, 4];
/** Numbers of a command: operation, hash, and for bytes their first and how many; to begin, the algorithm. */
const commandSize = 4;
const controlSize = commandsAt + commandCount * commandSize;
const controlBytes = controlSize * Int32Array.BYTES_PER_ELEMENT;

export const operations = { bytes: 0, begin: 1, digest: 2, end: 3 } as const;
type Operation = (typeof operations)[keyof typeof operations];

/** Algorithms by their number in a command. */
export const algorithms: readonly string[] = ['sha256', 'sha512'];

/** What the thread runs: it does one command after the other. A bundle has no file for it. */
export const source = `
const { parentPort, workerData } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const control = new Int32Array(workerData, 0, ${controlSize});
const bytes = new Uint8Array(workerData, ${controlBytes});
const hashes = new Map();
const commands = {
  [${operations.bytes}]: (id, first, length) => hashes.get(id).update(bytes.subarray(first, first + length)),
  [${operations.begin}]: (id, algorithm) => hashes.set(id, createHash(${JSON.stringify(algorithms)}[algorithm])),
  [${operations.digest}]: (id) => parentPort.postMessage({ id, hex: hashes.get(id).copy().digest('hex') }),
  [${operations.end}]: (id) => hashes.delete(id),
};
for (let done = 0; ; ) {
  while (Atomics.load(control, ${sentAt}) === done) Atomics.wait(control, ${sentAt}, done);
  const at = ${commandsAt} + (done & ${commandCount - 1}) * ${commandSize};
  commands[control[at]](control[at + 1], control[at + 2], control[at + 3]);
  done = (done + 1) | 0;
  Atomics.store(control, ${doneAt}, done);
  if (Atomics.exchange(control, ${wantedAt}, 0) === 1) parentPort.postMessage({});
}
`;

/** The sender's side of the memory that is shared with the thread. */
export class HashRing {
  readonly memory = new SharedArrayBuffer(controlBytes + capacity);
  private readonly control = new Int32Array(this.memory, 0, controlSize);
  private readonly bytes = Buffer.from(this.memory, controlBytes, capacity);
  private sent = 0;
  /** Commands whose bytes have been reclaimed. */
  private reclaimed = 0;
  private free = capacity;
  private position = 0;

  /** Commands that the thread has done. */
  get done(): number {
    return Atomics.load(this.control, doneAt);
  }

  /** Sends bytes, at most 256 KiB. @returns false when there is no room */
  write(id: number, bytes: Uint8Array): boolean {
    if (!this.hasRoom(bytes.length, 2)) return false;
    const first = Math.min(bytes.length, capacity - this.position);
    this.copy(id, first < bytes.length ? bytes.subarray(0, first) : bytes);
    if (first < bytes.length) this.copy(id, bytes.subarray(first));
    return true;
  }

  /** Sends another command. @returns false when there is no room */
  send(operation: Operation, id: number, argument = 0): boolean {
    if (!this.hasRoom(0, 1)) return false;
    this.push(operation, id, argument, 0);
    return true;
  }

  private copy(id: number, bytes: Uint8Array): void {
    // `set` copies to shared memory a word at a time, in several times the time.
    this.bytes.fill(bytes, this.position, this.position + bytes.length);
    this.push(operations.bytes, id, this.position, bytes.length);
    this.free -= bytes.length;
    this.position = (this.position + bytes.length) % capacity;
  }

  private push(operation: Operation, id: number, first: number, length: number): void {
    this.control.set([operation, id, first, length], placeOf(this.sent));
    this.sent = (this.sent + 1) | 0;
    Atomics.store(this.control, sentAt, this.sent);
    Atomics.notify(this.control, sentAt, 1);
  }

  private hasRoom(bytes: number, commands: number): boolean {
    if (this.isFree(bytes, commands)) return true;
    this.reclaim();
    if (this.isFree(bytes, commands)) return true;
    // What is done from now on is announced; what was done before is seen.
    Atomics.store(this.control, wantedAt, 1);
    this.reclaim();
    return this.isFree(bytes, commands);
  }

  private isFree(bytes: number, commands: number): boolean {
    return this.free >= bytes && ((this.sent - this.reclaimed) | 0) <= commandCount - commands;
  }

  private reclaim(): void {
    const done = Atomics.load(this.control, doneAt);
    for (; this.reclaimed !== done; this.reclaimed = (this.reclaimed + 1) | 0)
      this.free += this.control[placeOf(this.reclaimed) + 3] ?? 0;
  }
}

function placeOf(command: number): number {
  return commandsAt + (command & (commandCount - 1)) * commandSize;
}
