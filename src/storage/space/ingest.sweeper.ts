import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { ClockJumps } from '../../config/clock/clock.jumps.js';
import { ServerSettings } from '../../config/server.settings.js';
import { StorageProvider } from '../storage.provider.js';
import { UploadStore } from '../stores/upload.store.js';

/** Bounds of the interval between two sweeps, in milliseconds. */
const shortestInterval = 60_000;
const longestInterval = 3_600_000;
/** Milliseconds without a byte after which an upload session ends. */
const sessionAge = 86_400_000;

/**
 * Removes orphaned ingests at start and periodically: those without progress for `--orphan-age`, left by killed processes.
 * Ends upload sessions that no client goes on with.
 */
@Injectable()
export class IngestSweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(IngestSweeper.name);
  private readonly jumps: ClockJumps;
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(
    @Inject(StorageProvider) private readonly provider: StorageProvider,
    private readonly settings: ServerSettings,
    @Inject(Clock) clock: Clock,
    private readonly uploads: UploadStore,
  ) {
    this.jumps = new ClockJumps(clock, () =>
      this.logger.warn('the system clock has jumped: unfinished writes are not removed for a day'),
    );
  }

  onApplicationBootstrap(): void {
    if (!this.settings.runsJobs) return;
    const start = () => {
      this.sweeping = this.sweeping.then(() => this.sweep());
    };
    start();
    const interval = Math.min(longestInterval, Math.max(shortestInterval, this.settings.orphanAge));
    this.timer = setInterval(start, interval).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.sweeping;
  }

  private async sweep(): Promise<void> {
    // Another replica may still be writing an ingest that only looks old.
    if (!this.jumps.areAgesTrusted()) return;
    try {
      const count = await this.provider.sweepIngests(this.settings.orphanAge);
      if (count > 0) this.logger.log(`removed ${count} unfinished writes of terminated processes`);
      const ended = await this.uploads.sweep(sessionAge);
      if (ended > 0) this.logger.log(`ended ${ended} upload sessions without progress for a day`);
    } catch (error) {
      this.logger.warn(`cannot remove unfinished writes: ${error instanceof Error ? error.message : 'unknown error'}`);
    }
  }
}
