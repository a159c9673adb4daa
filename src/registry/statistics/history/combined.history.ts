import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../../config/clock/clock.js';
import type { RecordFields } from '../../../storage/stores/record.store.js';
import { TrafficStore } from '../../../storage/stores/history/traffic.store.js';
import { RegistryStatistics } from '../registry.statistics.js';
import { forecastOf, type DiskForecast } from './disk.forecast.js';
import { combine, diskSamplesOf, TrafficHistory } from './traffic.history.js';
import type { TrafficEntry } from './traffic.series.js';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
/** Milliseconds for which what other processes wrote is reused, so that readers of the page cannot load the storage. */
const lifetime = minute;
/** Milliseconds without a write after which a process no longer counts as running. */
const silence = 12 * minute;
/** Milliseconds after which the record of a process that is gone is removed. */
const memory = 30 * day;

/** A process on this storage. */
export interface ReplicaState {
  readonly host: string;
  readonly worker: number | undefined;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly seenAt: number;
  readonly isThisOne: boolean;
}

/** What all processes on this storage did. Processes tell of themselves every five minutes. */
export interface HistoryView {
  /** Periods of five minutes, oldest first, at most a day. */
  readonly day: readonly TrafficEntry[];
  /** Hours, oldest first, at most 30 days. */
  readonly month: readonly TrafficEntry[];
  /** Those that run, this one first. */
  readonly replicas: readonly ReplicaState[];
  /** Undefined until a day is known. */
  readonly forecast: DiskForecast | undefined;
  /** Whether other processes are missing because the storage could not be read. */
  readonly isPartial: boolean;
}

interface Other {
  readonly fields: RecordFields;
  readonly writtenAt: number;
}

/** Adds up the histories of all processes on one storage. */
@Injectable()
export class CombinedHistory {
  private readonly logger = new Logger('History');
  private others: readonly Other[] = [];
  private readAt = -Infinity;
  private isPartial = false;
  private reading: Promise<void> | undefined;

  constructor(
    private readonly own: TrafficHistory,
    private readonly store: TrafficStore,
    private readonly statistics: RegistryStatistics,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Never rejects. Reads the storage at most once a minute. */
  async view(): Promise<HistoryView> {
    if (this.clock.monotonic() - this.readAt >= lifetime) {
      this.reading ??= this.read().finally(() => (this.reading = undefined));
      await this.reading;
    }
    const now = this.clock.now();
    const { fields } = this.own;
    const all = [fields, ...this.others.map((other) => other.fields)];
    const samples = all.flatMap(diskSamplesOf).toSorted(([one], [other]) => one - other);
    return {
      day: combine(
        now,
        5 * minute,
        288,
        all.map((each) => each.day),
      ),
      month: combine(
        now,
        hour,
        30 * 24,
        all.map((each) => each.month),
      ),
      replicas: [
        { ...replicaOf(fields, now), isThisOne: true },
        ...this.others
          .filter(({ writtenAt }) => now - writtenAt <= silence)
          .map(({ fields: each, writtenAt }) => ({ ...replicaOf(each, writtenAt), isThisOne: false })),
      ],
      forecast: forecastOf(samples, this.statistics.space.quota),
      isPartial: this.isPartial,
    };
  }

  private async read(): Promise<void> {
    try {
      const records = await this.store.others(this.own.name, this.clock.now() - memory);
      this.others = records.map(({ fields, writtenAt }) => ({ fields, writtenAt: writtenAt.getTime() }));
      this.isPartial = false;
    } catch (error) {
      if (!this.isPartial) this.logger.warn(`the histories of other processes cannot be read: ${String(error)}`);
      this.isPartial = true;
    } finally {
      this.readAt = this.clock.monotonic();
    }
  }
}

/** @param seenAt milliseconds since 1970 */
function replicaOf(fields: RecordFields, seenAt: number): Omit<ReplicaState, 'isThisOne'> {
  const { host, worker, programVersion, startedAt } = fields;
  return {
    host: typeof host === 'string' ? host.slice(0, 255) : 'unknown',
    worker: Number.isSafeInteger(worker) ? (worker as number) : undefined,
    version: typeof programVersion === 'string' ? programVersion.slice(0, 64) : 'unknown',
    startedAt: typeof startedAt === 'number' && Number.isFinite(startedAt) ? startedAt : seenAt,
    seenAt,
  };
}
