import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { StorageProvider } from './storage.provider.js';

/** Milliseconds. An ingest without progress for so long has lost its process. */
const orphanAge = 3_600_000;
const interval = 3_600_000;

/** Removes what killed processes left in the middle of a write, at start and every hour. */
@Injectable()
export class IngestSweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(IngestSweeper.name);
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(@Inject(StorageProvider) private readonly provider: StorageProvider) {}

  onApplicationBootstrap(): void {
    const start = () => {
      this.sweeping = this.sweeping.then(() => this.sweep());
    };
    start();
    this.timer = setInterval(start, interval).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.sweeping;
  }

  private async sweep(): Promise<void> {
    try {
      const count = await this.provider.sweepIngests(orphanAge);
      if (count > 0) this.logger.log(`removed ${count} unfinished writes of earlier processes`);
    } catch (error) {
      this.logger.warn(
        `unfinished writes could not be removed: ${error instanceof Error ? error.message : 'unknown error'}`,
      );
    }
  }
}
