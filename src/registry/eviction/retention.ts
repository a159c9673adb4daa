import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { ClockJumps } from '../../config/clock/clock.jumps.js';
import { upstreamSettings } from '../../config/config.module.js';
import { UpstreamSettings } from '../../config/upstream.settings.js';
import { Namespace } from '../../oci/namespace.js';
import type { StoredRecord } from '../../storage/stores/stored.objects.js';

/** Milliseconds: the use of an object is recorded at most once in this time. */
export const useGranularity = 3_600_000;

/** How long unused records are kept. */
@Injectable()
export class Retention {
  private readonly logger = new Logger(Retention.name);
  private settings: ReadonlyMap<string, UpstreamSettings>;
  private readonly defaults = new UpstreamSettings();
  private readonly jumps: ClockJumps;

  constructor(
    @Inject(upstreamSettings) settings: readonly UpstreamSettings[],
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.settings = settingsByName(settings);
    this.jumps = new ClockJumps(clock, () =>
      this.logger.warn('the system clock has jumped; nothing is removed because of its age for a day'),
    );
  }

  /** Follows the upstream file. */
  replace(settings: readonly UpstreamSettings[]): void {
    this.settings = settingsByName(settings);
  }

  /** The wall clock, for `ageOf` and `isOver`. A sweep reads it once, so that ages stay comparable during the sweep. */
  get now(): number {
    return this.clock.now();
  }

  /** Milliseconds since an object was last used; 0 when that was after `now`. */
  ageOf({ usedAt }: { readonly usedAt: Date }, now: number): number {
    return Math.max(0, now - usedAt.getTime());
  }

  /** Whether a record has been unused for longer than its upstream's settings allow. By default, never. */
  isOver(record: StoredRecord, now: number): boolean {
    const { unusedContentTtl, tagTtl } = this.settings.get(record.namespace) ?? this.defaults;
    if (unusedContentTtl === undefined) return false;
    const isContent = record.kind === 'blob' || record.kind === 'manifest';
    const kept = unusedContentTtl + useGranularity + (isContent ? 0 : tagTtl);
    return this.ageOf(record, now) > kept;
  }

  /** False for a day after the system clock has jumped. Call it regularly, so that jumps are detected. */
  areAgesTrusted(): boolean {
    return this.jumps.areAgesTrusted();
  }
}

function settingsByName(settings: readonly UpstreamSettings[]): ReadonlyMap<string, UpstreamSettings> {
  return new Map(settings.map((entry) => [Namespace.parse(entry.namespace).toString(), entry]));
}
