import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { Clock } from '../../../config/clock/clock.js';
import { ServerSettings } from '../../../config/server.settings.js';
import { version } from '../../../config/version.js';
import type { RecordFields } from '../../../storage/stores/record.store.js';
import { TrafficStore } from '../../../storage/stores/history/traffic.store.js';
import { RegistryStatistics } from '../registry.statistics.js';
import type { DiskSample } from './disk.forecast.js';
import { noTraffic, sumOf, TrafficSeries, type Traffic, type TrafficEntry } from './traffic.series.js';

const [minute, hour] = [60_000, 3_600_000];
/** Milliseconds between two writes of the record: what a kill loses at most. */
const pause = 5 * minute;
/** Hours of disk usage that are kept. */
const diskSamples = 8 * 24;
/** Milliseconds that the last write may delay the end of the process. */
const lastWrite = 2_000;

/**
 * Traffic of the last day in periods of five minutes and of the last 30 days in hours, and what was stored each hour of the
 * last week. It survives restarts: the record in the storage is written every five minutes, when there was traffic or other
 * processes shall see that this one runs, and at the end. Memory and record are bounded.
 */
@Injectable()
export class TrafficHistory implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly series = { day: new TrafficSeries(5 * minute, 288), month: new TrafficSeries(hour, 30 * 24) };
  private readonly disk = new Map<number, DiskSample>();
  private readonly logger = new Logger('History');
  private readonly startedAt: number;
  private before: Traffic = noTraffic;
  private timer: NodeJS.Timeout | undefined;
  private writtenAt: number;
  private hasChanged = false;
  /** Set when the record of an earlier process has been added. */
  private isLoaded = false;
  private writing: Promise<void> = Promise.resolve();
  private isFailing = false;

  constructor(
    private readonly statistics: RegistryStatistics,
    @Inject(Clock) private readonly clock: Clock,
    private readonly store: TrafficStore,
    private readonly server: ServerSettings,
  ) {
    this.startedAt = this.clock.now();
    this.writtenAt = this.clock.monotonic();
  }

  /** Tells processes on one storage apart. The same after a restart. */
  get name(): string {
    return `${hostname()} ${this.server.listen} ${this.server.worker ?? ''}`;
  }

  /** What this process knows, as its record has it. */
  get fields(): RecordFields {
    this.sample();
    return {
      host: hostname(),
      worker: this.server.worker,
      programVersion: version,
      startedAt: this.startedAt,
      day: this.series.day.toJSON(),
      month: this.series.month.toJSON(),
      disk: [...this.disk.values()],
    };
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.tick(), minute).unref();
    this.writing = this.load();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    const cancel = new AbortController();
    await Promise.race([this.write(), wait(lastWrite, undefined, { signal: cancel.signal }).catch(() => undefined)]);
    cancel.abort();
  }

  /** Writes the record now. Never rejects: what cannot be written stays in memory. */
  write(): Promise<void> {
    this.writing = this.writing.then(() => this.writeRecord());
    return this.writing;
  }

  private tick(): void {
    this.sample();
    if (this.clock.monotonic() - this.writtenAt < pause) return;
    this.writtenAt = this.clock.monotonic();
    if (this.hasChanged || this.store.isShared) void this.write();
  }

  /** Adds what was counted since the last time. */
  private sample(): void {
    const now = this.clock.now();
    const { sent, received, hits, misses } = this.statistics.totals;
    const { before } = this;
    const traffic = {
      sent: sent - before.sent,
      received: received - before.received,
      hits: hits - before.hits,
      misses: misses - before.misses,
    };
    this.before = { sent, received, hits, misses };
    if (Object.values(traffic).some((count) => count > 0)) {
      this.hasChanged = true;
      for (const series of Object.values(this.series)) series.add(now, traffic);
    }
    const { space } = this.statistics;
    if (space.isMeasured) this.addDisk([now, space.bytes]);
  }

  private addDisk(sample: DiskSample): void {
    this.disk.set(Math.floor(sample[0] / hour), sample);
    for (const [number] of this.disk) if (this.disk.size > diskSamples) this.disk.delete(number);
  }

  private async load(): Promise<void> {
    try {
      const stored = await this.store.read(this.name);
      const now = this.clock.now();
      this.series.day.addStored(now, stored?.day);
      this.series.month.addStored(now, stored?.month);
      const newer = [...this.disk.values()];
      this.disk.clear();
      for (const sample of [...diskSamplesOf(stored), ...newer]) this.addDisk(sample);
      this.isLoaded = true;
    } catch (error) {
      this.report(error);
    }
  }

  private async writeRecord(): Promise<void> {
    // Otherwise it would replace what an earlier process knew.
    if (!this.isLoaded) await this.load();
    if (!this.isLoaded) return;
    const { fields } = this;
    if (!this.hasChanged && !this.store.isShared) return;
    this.hasChanged = false;
    try {
      await this.store.write(this.name, fields);
      this.isFailing = false;
    } catch (error) {
      this.hasChanged = true;
      this.report(error);
    }
  }

  /** Once for each time of trouble: the storage itself is reported elsewhere. */
  private report(error: unknown): void {
    if (!this.isFailing) this.logger.warn(`the history of traffic is in memory only: ${messageOf(error)}`);
    this.isFailing = true;
  }
}

/** What a record knows of the disk, oldest first. Anything else is ignored. */
export function diskSamplesOf(record: RecordFields | undefined): DiskSample[] {
  const samples = Array.isArray(record?.disk) ? (record.disk as unknown[]).slice(-diskSamples) : [];
  return samples.flatMap((each) => (isSample(each) ? [each] : [])).toSorted(([one], [other]) => one - other);
}

function isSample(value: unknown): value is DiskSample {
  return Array.isArray(value) && value.length === 2 && value.every((each) => Number.isSafeInteger(each) && each >= 0);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The sum of the series, period by period. */
export function combine(now: number, period: number, length: number, records: readonly unknown[]): TrafficEntry[] {
  const all = new TrafficSeries(period, length);
  for (const record of records) all.addStored(now, record);
  return all.entries(now);
}

/** Totals of entries. */
export function totalOf(entries: readonly TrafficEntry[]): Traffic {
  return entries.reduce<Traffic>(sumOf, noTraffic);
}
