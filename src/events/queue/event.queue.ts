import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { WebhookSettings } from '../../config/webhooks/webhook.settings.js';
import { parseEvent, type RegistryEvent } from '../event.js';
import type { DropReason, WebhookCounts } from '../webhook.counts.js';
import { Lanes, type Lane } from './lanes.js';
import { QueuedFile } from './queued.file.js';

type Limits = Pick<WebhookSettings, 'name' | 'maxQueuedEvents' | 'maxQueueSize'>;

/** What a queue depends on. */
export interface QueuePlace {
  /** The folder of this process; undefined while there is none. */
  readonly folder: () => string | undefined;
  /** The wall clock. */
  readonly now: () => number;
  /** Called when an event was dropped; the error of the disk, if it was one. */
  readonly onDrop: (reason: DropReason, error?: unknown) => void;
}

/**
 * Events that wait for one webhook, a file each: what has been written survives the process, and a file that was not
 * written to its end is dropped. Memory has the names only.
 */
export class EventQueue {
  readonly lanes = new Lanes();
  private readonly reserved = { events: 0, bytes: 0 };
  /** One file after another, so that the order stays that of the calls. */
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private limits: Limits,
    private readonly counts: WebhookCounts,
    private readonly place: QueuePlace,
  ) {}

  /** Keeps to other limits from the next event on. */
  change(limits: Limits): void {
    this.limits = limits;
  }

  /** Milliseconds since the oldest event was queued. */
  get oldest(): number {
    const { oldest } = this.lanes;
    return oldest === undefined ? 0 : Math.max(0, this.place.now() - oldest);
  }

  /**
   * Resolves when the event has been written, or dropped and counted; never rejects.
   * @param isMinor whether half of the queue is kept for events that matter more.
   */
  add({ repository }: RegistryEvent, text: string, isMinor: boolean): Promise<void> {
    const bytes = Buffer.byteLength(text);
    if (!this.reserve(bytes, isMinor)) {
      this.drop('full');
      return Promise.resolve();
    }
    const write = () => this.write(QueuedFile.laneOf(repository), text, bytes);
    return (this.writing = this.writing.then(write).catch((error: unknown) => {
      this.release(bytes);
      this.drop('storage', error);
    }));
  }

  /** Adds what another process has left, as far as there is room. @param folder now of this process */
  async load(folder: string): Promise<void> {
    const own = join(folder, this.limits.name);
    const names = await readdir(own).catch(() => []);
    const files = names.sort().flatMap((name) => QueuedFile.parse(own, name) ?? []);
    const kept: QueuedFile[] = [];
    for (const file of files) {
      if (this.reserve(file.bytes, false)) kept.push(file);
      else {
        this.drop('full');
        await this.remove(file);
      }
    }
    this.lanes.add(kept);
  }

  /** The first event of a lane; undefined when it is gone, or was not written to its end. */
  async read({ files: [file] }: Lane): Promise<RegistryEvent | undefined> {
    if (!file) return undefined;
    try {
      const text = await readFile(file.path);
      const event = text.length === file.bytes ? parseEvent(text.toString('utf8')) : undefined;
      if (!event) this.drop('storage', new Error('a queued event is damaged'));
      return event;
    } catch (error) {
      // Another process has taken the folder over, and sends it.
      if (codeOf(error) !== 'ENOENT') this.drop('storage', error);
      return undefined;
    }
  }

  /** Removes the first event of a lane: it was delivered, dropped or gone. */
  async done(lane: Lane): Promise<void> {
    const [file] = lane.files;
    if (file) await this.remove(file);
    this.release(file?.bytes ?? 0);
    this.lanes.done(lane);
  }

  drop(reason: DropReason, error?: unknown): void {
    this.counts.dropped[reason] += 1;
    this.place.onDrop(reason, error);
  }

  /** Waits for what is being written. */
  settled(): Promise<void> {
    return this.writing;
  }

  private async write(lane: string, text: string, bytes: number): Promise<void> {
    const folder = this.place.folder();
    if (folder === undefined) throw new Error('there is no folder for events');
    const file = QueuedFile.create(join(folder, this.limits.name), lane, bytes, this.place.now());
    try {
      await writeNew(file.path, text);
    } catch (error) {
      // What was written of it takes room on a disk that may be full.
      await unlink(file.path).catch(() => undefined);
      throw error;
    }
    this.lanes.add([file]);
  }

  private reserve(bytes: number, isMinor: boolean): boolean {
    const share = isMinor ? 0.5 : 1;
    const { reserved, limits } = this;
    if (reserved.events >= limits.maxQueuedEvents * share) return false;
    if (reserved.bytes + bytes > limits.maxQueueSize * share) return false;
    reserved.events += 1;
    reserved.bytes += bytes;
    return true;
  }

  private release(bytes: number): void {
    this.reserved.events -= 1;
    this.reserved.bytes -= bytes;
  }

  /** One that stays is sent again after the next start. */
  private async remove(file: QueuedFile): Promise<void> {
    await unlink(file.path).catch(() => undefined);
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  const options = { flag: 'wx', mode: 0o600 };
  try {
    await writeFile(path, text, options);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await mkdir(dirname(path), { mode: 0o700 });
    await writeFile(path, text, options);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
