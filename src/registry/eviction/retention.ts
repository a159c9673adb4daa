import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { ClockJumps } from '../../config/clock/clock.jumps.js';
import { upstreamSettings } from '../../config/config.module.js';
import { UpstreamSettings } from '../../config/upstream.settings.js';
import { Namespace } from '../../oci/namespace.js';
import type { StoredRecord } from '../../storage/stores/stored.objects.js';

/** Milliseconds that a recorded use may be behind the last one: uses are recorded once in so long. */
export const useGranularity = 3_600_000;

/** How long records are kept without being used. */
@Injectable()
export class Retention {
  private readonly logger = new Logger(Retention.name);
  private readonly settings: ReadonlyMap<string, UpstreamSettings>;
  private readonly usual = new UpstreamSettings();
  private readonly jumps: ClockJumps;

  constructor(
    @Inject(upstreamSettings) settings: readonly UpstreamSettings[],
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.settings = new Map(settings.map((entry) => [Namespace.parse(entry.namespace).toString(), entry]));
    this.jumps = new ClockJumps(clock, () =>
      this.logger.warn('the time of day has jumped; nothing is removed for its age for a day'),
    );
  }

  /** The time of day, for `ageOf` and `isOver`: a sweep takes it once, or what is as old as it was would be older later. */
  get now(): number {
    return this.clock.now();
  }

  /** Milliseconds since an object was last used; one that was used after that moment was used at it. */
  ageOf({ usedAt }: { readonly usedAt: Date }, now: number): number {
    return Math.max(0, now - usedAt.getTime());
  }

  /** Whether a record has been unused for longer than its upstream's settings allow; never by default. */
  isOver(record: StoredRecord, now: number): boolean {
    const { unusedContentTtl, tagTtl } = this.settings.get(record.namespace) ?? this.usual;
    if (unusedContentTtl === undefined) return false;
    const isContent = record.kind === 'blob' || record.kind === 'manifest';
    const kept = unusedContentTtl + useGranularity + (isContent ? 0 : tagTtl);
    return this.ageOf(record, now) > kept;
  }

  /** Whether ages mean anything: not for a day after the time of day was set. To be asked from time to time. */
  areAgesTrusted(): boolean {
    return this.jumps.areAgesTrusted();
  }
}
