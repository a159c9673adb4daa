import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';

/** Distinguishes the files of processes that add one in the same millisecond. */
const instance = randomBytes(4).toString('hex');
let count = 0;
/** A clock that is set back must not change the order. */
let latest = 0;

/**
 * The name of an event's file says what the queue has to know, so that it is read only when it is sent:
 * `<milliseconds>-<count>-<process>-<lane>-<bytes>.json`. Names sort in the order of the events.
 */
export class QueuedFile {
  private constructor(
    readonly folder: string,
    readonly name: string,
    /** The wall clock when it was queued, in milliseconds. */
    readonly since: number,
    /** Events of one lane are sent one after another. */
    readonly lane: string,
    readonly bytes: number,
  ) {}

  static create(folder: string, lane: string, bytes: number, now: number): QueuedFile {
    count = (count + 1) % 1_000_000;
    latest = Math.max(latest, Math.floor(now));
    const since = latest;
    const order = `${String(since).padStart(15, '0')}-${String(count).padStart(6, '0')}`;
    return new QueuedFile(folder, `${order}-${instance}-${lane}-${bytes}.json`, since, lane, bytes);
  }

  /** Undefined for the name of another file. */
  static parse(folder: string, name: string): QueuedFile | undefined {
    const [, since, lane = '', bytes] = /^(\d{15})-\d{6}-[0-9a-f]{8}-([0-9a-f]{16})-(\d{1,7})\.json$/.exec(name) ?? [];
    return since === undefined ? undefined : new QueuedFile(folder, name, Number(since), lane, Number(bytes));
  }

  static laneOf(repository: string): string {
    return createHash('sha256').update(repository).digest('hex').slice(0, 16);
  }

  get path(): string {
    return join(this.folder, this.name);
  }
}
