import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Clock } from '../../config/clock/clock.js';
import { ServerSettings } from '../../config/server.settings.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { MaintenanceCounts } from '../../storage/space/maintenance.counts.js';
import { StorageError } from '../../storage/storage-error.js';
import { StoredObjects, type StoredContent } from '../../storage/stores/stored.objects.js';
import { reasonOf } from '../response-error.js';
import { Timer } from './timer.js';

/** Milliseconds after the start until an overdue scrub. */
const firstDelay = 60_000;

export interface ScrubResult {
  /** Objects verified against their digests. */
  readonly seen: number;
  readonly bytes: number;
  /** Objects that did not match their digests and were set aside. */
  readonly damaged: number;
  /** Objects that could not be read; they are kept. */
  readonly failed: number;
  readonly startedAt: Date;
  /** Milliseconds. */
  readonly duration: number;
}

export interface ScrubStatus {
  readonly running: boolean;
  readonly seen: number;
  readonly bytes: number;
  readonly damaged: number;
  readonly failed: number;
  readonly last?: ScrubResult;
}

/** Verifies all stored content against its digests at a low rate, to find bit rot before a client does. */
@Injectable()
export class ScrubService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ScrubService.name);
  private readonly stopped = new AbortController();
  private readonly timer = new Timer();
  private running: Promise<ScrubResult> | undefined;
  private counts = { seen: 0, bytes: 0, damaged: 0, failed: 0 };
  private last: ScrubResult | undefined;

  constructor(
    private readonly objects: StoredObjects,
    private readonly content: ContentStore,
    private readonly settings: ServerSettings,
    private readonly maintenance: MaintenanceCounts,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  get status(): ScrubStatus {
    return { running: this.running !== undefined, ...this.counts, ...(this.last && { last: this.last }) };
  }

  async onApplicationBootstrap(): Promise<void> {
    const { scrubInterval, runsJobs } = this.settings;
    if (scrubInterval === 0 || !runsJobs) return;
    const finishedAt = await this.finishedAt();
    const due = Math.max(firstDelay, finishedAt + scrubInterval - this.clock.now());
    this.timer.start(Math.min(due, scrubInterval), scrubInterval, () => void this.run().catch(() => undefined));
  }

  async onApplicationShutdown(): Promise<void> {
    this.timer.stop();
    this.stopped.abort(new Error('the server is shutting down'));
    await this.running?.catch(() => undefined);
  }

  /** Starts a scrub, or joins the running one. @throws StorageError when the storage cannot be listed. */
  run(): Promise<ScrubResult> {
    return (this.running ??= this.scrub().finally(() => (this.running = undefined)));
  }

  private async scrub(): Promise<ScrubResult> {
    const startedAt = new Date(this.clock.now());
    const from = this.clock.monotonic();
    this.counts = { seen: 0, bytes: 0, damaged: 0, failed: 0 };
    this.logger.log('scrub started');
    try {
      // In random order, so that all content is verified eventually even if no scrub ever completes.
      for await (const content of this.objects.contents(shuffle(this.objects.folders))) await this.check(content);
    } catch (error) {
      this.maintenance.scrubs.failed += 1;
      const level = this.stopped.signal.aborted ? 'debug' : 'warn';
      this.logger[level](`scrub failed: ${reasonOf(error)}`);
      throw error;
    }
    this.last = { ...this.counts, startedAt, duration: this.clock.monotonic() - from };
    this.maintenance.scrubs.done += 1;
    const { seen, bytes, damaged, failed } = this.last;
    this.logger.log(
      `scrub finished: ${seen} objects, ${bytes} bytes verified, ${damaged} damaged, ${failed} unreadable`,
    );
    await this.objects
      .putState('scrub', { finishedAt: this.clock.now() })
      .catch((error: unknown) => this.logger.warn(`could not record the scrub: ${reasonOf(error)}`));
    return this.last;
  }

  private async check({ digest }: StoredContent): Promise<void> {
    this.stopped.signal.throwIfAborted();
    try {
      const isSound = await this.isSound(digest);
      if (isSound === undefined) return;
      this.counts.seen += 1;
      this.maintenance.scrubs.checkedObjects += 1;
      if (isSound) return;
      this.logger.warn(`stored content of ${digest.toString()} is damaged and will be fetched again`);
      await this.content.discard(digest);
      this.counts.damaged += 1;
      this.maintenance.scrubs.damagedObjects += 1;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.counts.failed += 1;
      this.logger.warn(`could not verify stored content of ${digest.toString()}: ${error.message}`);
    }
  }

  /** Undefined when it was removed meanwhile. */
  private async isSound(digest: StoredContent['digest']): Promise<boolean | undefined> {
    const stored = await this.content.open(digest);
    if (!stored) return undefined;
    const hash = digest.hasher();
    try {
      await stored.copy({ offset: 0, length: stored.size }, (chunk) => {
        hash.update(chunk);
        return this.pace(chunk.length);
      });
    } catch (error) {
      if (error instanceof StorageError && error.kind === 'damaged') return false;
      throw error;
    } finally {
      await stored.close();
    }
    return digest.matches(hash);
  }

  /** Limits the rate. */
  private async pace(bytes: number): Promise<void> {
    this.counts.bytes += bytes;
    this.maintenance.scrubs.checkedBytes += bytes;
    await sleep((bytes * 1000) / this.settings.scrubRate, undefined, { signal: this.stopped.signal });
  }

  /** When the last scrub finished, in milliseconds since 1970. */
  private async finishedAt(): Promise<number> {
    try {
      const finishedAt = (await this.objects.state('scrub'))?.finishedAt;
      return typeof finishedAt === 'number' && finishedAt <= this.clock.now() ? finishedAt : 0;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return 0;
    }
  }
}

function shuffle<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
