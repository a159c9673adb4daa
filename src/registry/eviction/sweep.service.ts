import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { ServerSettings } from '../../config/server.settings.js';
import type { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { MaintenanceCounts } from '../../storage/space/maintenance.counts.js';
import { spaceOf, SpaceLedger, type SpacePressure } from '../../storage/space/space.ledger.js';
import { StoredObjects } from '../../storage/stores/stored.objects.js';
import { GarbageService } from '../hosted/garbage/garbage.service.js';
import { HostedNamespaces } from '../hosted/hosted-namespaces.js';
import { ContentLock } from '../hosted/locks/content.lock.js';
import { reasonOf } from '../response-error.js';
import { DownloadsService } from '../mirrored/downloads/downloads.service.js';
import type { Garbage } from '../hosted/garbage/repository.garbage.js';
import { EvictionEvents } from './eviction.events.js';
import { Retention, useGranularity } from './retention.js';
import { SweepDryRun } from './sweep.dry-run.js';
import { Sweep } from './sweep.js';
import {
  unguarded,
  type ReportRemovable,
  type SweepCounts,
  type SweepPhase,
  type SweepPlace,
  type SweepPlan,
  type SweepResult,
  type SweepStatus,
} from './sweep.place.js';
import { Timer } from './timer.js';
import { UsesService } from './uses.service.js';

/** Milliseconds after the start until the first sweep, so that it does not compete with the first pulls. */
const firstDelay = 20_000;
/** Milliseconds between two sweeps for lack of space, when the previous one could not free enough. */
const pressurePause = 60_000;
/** Fraction of the quota that may be added before the total is saved again. */
const unsavedShare = 1 / 64;

/** Keeps the storage within its bounds. Sweeps run one at a time: on a schedule, when space is short, and on demand. */
@Injectable()
export class SweepService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(SweepService.name);
  private readonly stopped = new AbortController();
  private readonly timer = new Timer();
  private readonly dryRun = new SweepDryRun();
  private running: Promise<SweepResult> | undefined;
  private phase: SweepPhase = 'idle';
  private counts: Readonly<SweepCounts> = {
    seen: 0,
    removedRecords: 0,
    removedContents: 0,
    removedBytes: 0,
    failed: 0,
  };
  private last: SweepResult | undefined;
  private lastError: string | undefined;
  private isShort = false;
  private isDiskFull = false;
  private pressedAt = -Infinity;
  private saved = 0;
  private saving: Promise<void> = Promise.resolve();

  constructor(
    private readonly objects: StoredObjects,
    private readonly space: SpaceLedger,
    private readonly content: ContentStore,
    private readonly downloads: DownloadsService,
    private readonly uses: UsesService,
    private readonly retention: Retention,
    private readonly settings: ServerSettings,
    private readonly maintenance: MaintenanceCounts,
    private readonly hosted: HostedNamespaces,
    private readonly garbage: GarbageService,
    private readonly contents: ContentLock,
    private readonly evictions: EvictionEvents,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  get status(): SweepStatus {
    const { running, phase, counts, last, lastError } = this;
    const { bytes, quota } = this.space;
    return {
      running: running !== undefined,
      phase,
      counts,
      usedBytes: bytes,
      ...(last && { last }),
      ...(lastError !== undefined && { lastError }),
      ...(quota !== undefined && { quota }),
    };
  }

  onApplicationBootstrap(): void {
    this.saved = this.space.bytes;
    this.space.onPressure = (pressure) => this.press(pressure);
    const { sweepInterval, runsJobs } = this.settings;
    if (sweepInterval > 0 && runsJobs)
      this.timer.start(Math.min(firstDelay, sweepInterval), sweepInterval, () => this.begin());
  }

  async onApplicationShutdown(): Promise<void> {
    this.timer.stop();
    this.space.onPressure = () => undefined;
    this.stopped.abort(new Error('the server is shutting down'));
    await this.running?.catch(() => undefined);
    if (this.space.bytes !== this.saved) this.save();
    await this.saving;
  }

  /** Starts a sweep, or joins the running one. @throws StorageError when the storage cannot be listed. */
  run(): Promise<SweepResult> {
    return (this.running ??= this.sweep().finally(() => {
      this.running = undefined;
      this.phase = 'idle';
    }));
  }

  /**
   * Reports what a sweep would remove from hosted repositories now, and removes nothing.
   * @returns how many repositories could not be read. @throws StorageError; the signal's reason
   */
  findGarbage(signal: AbortSignal, report: (garbage: Garbage) => Promise<void>): Promise<number> {
    return this.garbage.run({ isDryRun: true, signal: AbortSignal.any([signal, this.stopped.signal]), report });
  }

  /** @throws OciError UNAVAILABLE while a sweep or another dry run is in progress */
  assertCanFind(): void {
    if (this.running) throw new OciError('UNAVAILABLE', 'a sweep is in progress', { retryAfter: 5 });
    this.dryRun.assertIdle();
  }

  /**
   * Reports what a sweep would remove now, apart from garbage of hosted repositories, and removes nothing. It ends when
   * a sweep begins.
   * @throws as `assertCanFind`; StorageError; the signal's reason; what `report` throws
   */
  async findRemovable(signal: AbortSignal, report: ReportRemovable): Promise<SweepCounts> {
    this.assertCanFind();
    const signals = AbortSignal.any([signal, this.stopped.signal]);
    return this.dryRun.run(() => this.place(), this.plan, signals, report);
  }

  /** Starts one in the background; `sweep` logs its failure. */
  private begin(): void {
    this.run().catch(() => undefined);
  }

  private press(pressure: SpacePressure): void {
    if (this.space.bytes - this.saved > (this.space.quota ?? Infinity) * unsavedShare) this.save();
    this.isShort ||= pressure === 'quota';
    this.isDiskFull ||= pressure === 'disk';
    const now = this.clock.monotonic();
    if (this.running || this.stopped.signal.aborted || now - this.pressedAt < pressurePause) return;
    this.pressedAt = now;
    this.begin();
  }

  private async sweep(): Promise<SweepResult> {
    const startedAt = new Date(this.clock.now());
    const from = this.clock.monotonic();
    this.dryRun.stop(new OciError('UNAVAILABLE', 'a sweep has begun', { retryAfter: 60 }));
    const { plan } = this;
    const place = await this.place();
    const reason = plan.isDiskFull ? ': the disk is full' : ': space is short';
    this.logger.log(`sweep started${plan.isShort ? reason : ''}`);
    try {
      const sweep = new Sweep(place, plan, this.stopped.signal);
      this.counts = sweep.counts;
      await this.sweepHosted(sweep, plan.isShort)
        .then(() => sweep.run())
        .finally(() => this.count(sweep.counts));
    } catch (error) {
      this.lastError = reasonOf(error);
      this.maintenance.sweeps.failed += 1;
      const level = this.stopped.signal.aborted ? 'debug' : 'warn';
      this.logger[level](`sweep failed: ${this.lastError}`);
      throw error;
    }
    this.maintenance.sweeps.done += 1;
    this.isShort = this.isDiskFull = false;
    // After a sweep that made room, the next lack of space is a new one.
    if (this.counts.removedBytes > 0) this.pressedAt = -Infinity;
    this.lastError = undefined;
    const { bytes, objects: contents, damaged } = this.space;
    const duration = this.clock.monotonic() - from;
    this.last = { startedAt, duration, ...this.counts, bytes, objects: contents, damaged };
    this.report(this.last);
    this.save();
    await this.saving;
    return this.last;
  }

  private get plan(): SweepPlan {
    return {
      grace: Math.max(useGranularity, this.settings.orphanAge),
      isShort: this.isShort || this.isDiskFull,
      isDiskFull: this.isDiskFull,
      isFirst: this.last === undefined,
    };
  }

  private async place(): Promise<SweepPlace> {
    const { objects, space, retention } = this;
    const hosted = await this.hosted.stored();
    return {
      isHosted: (namespace) => hosted.has(namespace),
      hasHosted: hosted.size > 0,
      guard: hosted.size > 0 ? this.contents.removal() : unguarded,
      isCataloged: this.settings.catalog === 'all',
      objects,
      space,
      retention,
      isHeld: (digest) => this.isHeld(digest),
      enter: (phase) => (this.phase = phase),
      onRemoved: this.evictions.onRemoved,
      onFailure: (error) => this.logger.warn(`could not remove an object: ${reasonOf(error)}`),
    };
  }

  /** What it removes is content without a record for the sweep that follows. */
  private async sweepHosted({ counts }: Sweep, isUrgent: boolean): Promise<void> {
    if (!this.retention.areAgesTrusted()) return;
    this.phase = 'garbage';
    const report = (garbage: Garbage) => {
      counts.removedRecords += 1;
      counts.removedBytes += spaceOf(garbage.size);
      return this.evictions.collected(garbage);
    };
    await this.garbage.run({ isDryRun: false, isUrgent, signal: this.stopped.signal, report });
  }

  private count({ removedRecords, removedContents, removedBytes }: SweepCounts): void {
    const { sweeps } = this.maintenance;
    sweeps.removedObjects += removedRecords + removedContents;
    sweeps.removedBytes += removedBytes;
  }

  private report({ duration, seen, removedRecords, removedContents, removedBytes, bytes, failed }: SweepResult): void {
    const removed = `removed ${removedContents} content objects and ${removedRecords} records (${removedBytes} bytes)`;
    this.logger.log(
      `sweep finished in ${Math.round(duration)} ms: ${seen} objects examined, ${removed}; ${bytes} bytes used`,
    );
    if (failed > 0) this.logger.warn(`could not remove ${failed} objects`);
    if (bytes > this.space.high) this.logger.warn('all stored content is in use; new content may not be stored');
  }

  private isHeld(digest: Digest): boolean {
    return this.content.isOpen(digest) || this.uses.isHeld(digest) || this.downloads.isHeld(digest);
  }

  /** Saves the total, so that the next process enforces the quota from its start. */
  private save(): void {
    const { bytes, objects, damaged } = this.space;
    this.saved = bytes;
    this.saving = this.saving
      .then(() => this.objects.putState('usage', { bytes, objects, damaged }))
      .catch((error: unknown) => this.logger.warn(`could not save the storage usage: ${reasonOf(error)}`));
  }
}
