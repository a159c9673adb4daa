import { OciError } from '../../oci/error.js';
import { Sweep } from './sweep.js';
import { unguarded, type ReportRemovable, type SweepCounts, type SweepPlace, type SweepPlan } from './sweep.place.js';

/**
 * Sweeps that only report, one at a time. None may list the storage beside a real one: a provider knows of its latest
 * list whether it was complete, and a sweep takes content for orphaned only after a complete one.
 */
export class SweepDryRun {
  private aborter: AbortController | undefined;

  /** @throws OciError UNAVAILABLE */
  assertIdle(): void {
    if (this.aborter) throw new OciError('UNAVAILABLE', 'a dry run is in progress', { retryAfter: 5 });
  }

  /** Ends the running one, which begins no other list afterwards. */
  stop(reason: OciError): void {
    this.aborter?.abort(reason);
  }

  /** @throws OciError UNAVAILABLE; StorageError; the reason of the signal or of `stop`; what `report` throws */
  async run(
    placed: () => Promise<SweepPlace>,
    plan: SweepPlan,
    signal: AbortSignal,
    report: ReportRemovable,
  ): Promise<SweepCounts> {
    this.assertIdle();
    const aborter = (this.aborter = new AbortController());
    const either = AbortSignal.any([signal, aborter.signal]);
    try {
      const enter = () => either.throwIfAborted();
      const place = { ...(await placed()), guard: unguarded, enter, onRemoved: undefined };
      const sweep = new Sweep(place, plan, either, report);
      await sweep.run();
      return sweep.counts;
    } finally {
      this.aborter = undefined;
    }
  }
}
