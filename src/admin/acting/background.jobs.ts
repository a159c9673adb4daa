import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { Clock } from '../../config/clock/clock.js';
import { OciError } from '../../oci/error.js';
import { SweepService } from '../../registry/eviction/sweep.service.js';
import type { WarmEvent } from '../warming/warm.progress.js';
import type { WarmRequest } from '../warming/warm.request.js';
import { WarmService } from '../warming/warm.service.js';

/** Jobs that are remembered; the oldest that has ended goes first. */
const maxJobs = 20;
/** Lines of a job that are kept; the others are counted. */
const maxLines = 500;
/** Milliseconds that a job may take. */
const longestJob = 6 * 3_600_000;

export interface JobLine {
  readonly name: string;
  readonly state: string;
  readonly text: string;
}

/** The progress of a job that was started from a page, in this process. */
export interface Job {
  readonly id: string;
  readonly title: string;
  /** Whose it is: others do not see it. */
  readonly owner: string;
  readonly startedAt: number;
  readonly lines: readonly JobLine[];
  /** Lines that are not kept. */
  readonly more: number;
  readonly end: { readonly at: number; readonly failure: string | undefined } | undefined;
}

class RunningJob implements Job {
  readonly id = randomBytes(16).toString('hex');
  private readonly byName = new Map<string, JobLine>();
  more = 0;
  end: Job['end'];

  constructor(
    readonly title: string,
    readonly owner: string,
    readonly startedAt: number,
  ) {}

  get lines(): readonly JobLine[] {
    return [...this.byName.values()];
  }

  /** A later line of the same name takes the place of an earlier one. */
  report(line: JobLine): Promise<void> {
    if (this.byName.size < maxLines || this.byName.has(line.name)) this.byName.set(line.name, line);
    else this.more += 1;
    return Promise.resolve();
  }
}

/** Long work that a page starts and shows: it goes on when its browser leaves, and ends with the process. */
@Injectable()
export class BackgroundJobs implements OnApplicationShutdown {
  private readonly logger = new Logger('Actions');
  private readonly jobs: RunningJob[] = [];
  private readonly aborter = new AbortController();

  constructor(
    private readonly warming: WarmService,
    private readonly sweeping: SweepService,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  onApplicationShutdown(): void {
    this.aborter.abort(new OciError('UNAVAILABLE', 'the server is shutting down'));
  }

  /** Undefined for what is not the owner's, has been forgotten, or runs in another process. */
  find(id: string, owner: string): Job | undefined {
    return this.jobs.find((job) => job.id === id && job.owner === owner);
  }

  /** @throws OciError UNAVAILABLE when too many are pulled already */
  warm(request: WarmRequest, owner: string): Job {
    this.assertRoom();
    this.warming.enter();
    return this.start('Warm', owner, (job, signal) =>
      this.warming.warm(request, (event) => job.report(lineOfEvent(event)), signal),
    );
  }

  /** What the garbage collection would remove. @throws OciError UNAVAILABLE while another looks for it */
  findGarbage(owner: string): Job {
    this.assertRoom();
    const title = 'Dry run of the garbage collection';
    if (this.jobs.some((job) => job.title === title && !job.end))
      throw new OciError('UNAVAILABLE', 'a dry run is in progress', { retryAfter: 5 });
    return this.start(title, owner, async (job, signal) => {
      const failed = await this.sweeping.findGarbage(signal, ({ repository, kind, tag, digest, reason }) =>
        job.report({ name: `${repository}${tag === undefined ? '' : `:${tag}`}@${digest}`, state: kind, text: reason }),
      );
      if (failed > 0) throw new OciError('UNAVAILABLE', `${failed} repositories could not be read`);
    });
  }

  /** What a sweep would remove. @throws OciError UNAVAILABLE during a sweep, and while another looks for it */
  findRemovable(owner: string): Job {
    this.assertRoom();
    this.sweeping.assertCanFind();
    return this.start('Dry run of the sweep', owner, async (job, signal) => {
      const { failed } = await this.sweeping.findRemovable(signal, ({ key, kind, reason, size }) =>
        job.report({ name: key, state: kind, text: `${reason}, ${size} bytes` }),
      );
      if (failed > 0) throw new OciError('UNAVAILABLE', `${failed} objects could not be read`);
    });
  }

  private assertRoom(): void {
    if (this.jobs.length < maxJobs) return;
    const oldest = this.jobs.findIndex(({ end }) => end !== undefined);
    if (oldest === -1) throw new OciError('UNAVAILABLE', `${maxJobs} jobs are running already`, { retryAfter: 30 });
    this.jobs.splice(oldest, 1);
  }

  private start(title: string, owner: string, run: (job: RunningJob, signal: AbortSignal) => Promise<void>): Job {
    const job = new RunningJob(title, owner, this.clock.now());
    this.jobs.push(job);
    const signal = AbortSignal.any([this.aborter.signal, AbortSignal.timeout(longestJob)]);
    run(job, signal).then(
      () => (job.end = { at: this.clock.now(), failure: undefined }),
      (error: unknown) => {
        const failure = error instanceof Error ? error.message : 'unknown error';
        job.end = { at: this.clock.now(), failure: error instanceof OciError ? failure : 'it failed: see the log' };
        this.logger.warn(`${title}: ${failure}`);
      },
    );
    return job;
  }
}

function lineOfEvent({ image, platform, state, blobs, bytes, error }: WarmEvent): JobLine {
  const name = platform === undefined ? image : `${image} ${platform}`;
  const counts = `${blobs.done} of ${blobs.total} blobs, ${bytes.done} of ${bytes.total} bytes`;
  return { name, state, text: error ? error.message : counts };
}
