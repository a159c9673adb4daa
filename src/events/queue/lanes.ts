import type { QueuedFile } from './queued.file.js';

/** The events of one repository, in their order. The first one is being sent, or is to be sent next. */
export interface Lane {
  readonly name: string;
  files: QueuedFile[];
  state: 'ready' | 'busy' | 'waiting';
  /** Failed attempts to send the first one in a row. */
  attempts: number;
  timer: NodeJS.Timeout | undefined;
}

/** The order of events: one after another within a lane, while a lane that fails holds no other one back. */
export class Lanes {
  private readonly lanes = new Map<string, Lane>();
  /** In the order in which they became ready. */
  private readonly ready: Lane[] = [];
  private readonly waiting = new Set<Lane>();
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** When the oldest event was queued. */
  get oldest(): number | undefined {
    let oldest: number | undefined;
    for (const { files } of this.lanes.values()) oldest = Math.min(oldest ?? Infinity, files[0]?.since ?? Infinity);
    return oldest;
  }

  /** @param files may be older than those that are there. */
  add(files: readonly QueuedFile[]): void {
    for (const file of files) {
      const lane = this.lanes.get(file.lane) ?? this.open(file.lane);
      const last = lane.files.at(-1);
      lane.files.push(file);
      this.count += 1;
      if (last && last.name > file.name) sort(lane);
    }
  }

  /** The next lane that may send; it is busy until `done` or `wait`. */
  take(): Lane | undefined {
    const lane = this.ready.shift();
    if (lane) lane.state = 'busy';
    return lane;
  }

  /** Removes the first event of a busy lane. */
  done(lane: Lane): void {
    lane.files.shift();
    this.count -= 1;
    if (lane.files.length > 0) this.makeReady(lane);
    else this.lanes.delete(lane.name);
  }

  /** Makes a busy lane wait so many milliseconds. */
  wait(lane: Lane, delay: number, onReady: () => void): void {
    lane.state = 'waiting';
    this.waiting.add(lane);
    lane.timer = setTimeout(() => {
      this.makeReady(lane);
      onReady();
    }, delay);
    lane.timer.unref();
  }

  /** Ends all waiting: the other side responds again. */
  wake(): void {
    for (const lane of [...this.waiting]) this.makeReady(lane);
  }

  /** Nothing becomes ready by itself any more. */
  stop(): void {
    for (const { timer } of this.waiting) clearTimeout(timer);
    this.ready.length = 0;
  }

  private open(name: string): Lane {
    const lane: Lane = { name, files: [], state: 'ready', attempts: 0, timer: undefined };
    this.lanes.set(name, lane);
    this.ready.push(lane);
    return lane;
  }

  private makeReady(lane: Lane): void {
    clearTimeout(lane.timer);
    lane.timer = undefined;
    this.waiting.delete(lane);
    lane.state = 'ready';
    this.ready.push(lane);
  }
}

/** The one that is being sent stays the first. */
function sort(lane: Lane): void {
  const first = lane.state === 'busy' ? lane.files.slice(0, 1) : [];
  const rest = lane.files.slice(first.length).sort((one, other) => (one.name < other.name ? -1 : 1));
  lane.files = [...first, ...rest];
}
