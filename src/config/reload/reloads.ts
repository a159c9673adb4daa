import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Clock } from '../clock/clock.js';
import { lineOf } from '../configuration-error.js';
import type { FollowedSettings, Reading } from './followed.files.js';
import { restPatience, restTime } from '../files/file.rest.js';
import { areSame, marksOf, type FileMarks } from './setting.files.js';

/** Milliseconds between looks at the files. */
const lookInterval = 1_000;
/** Milliseconds after which files that are always being written are reported. */
const longestWriting = 10_000;
const writing = 'a file is still being written';
/** Milliseconds to wait for a look: the files may be on a network. */
const lookTimeout = 10_000;
/** Names and mistakes in one line of the log. */
const longest = 20;

export type ReloadResult = 'applied' | 'unchanged' | 'rejected';

/** What came of reading the files again. No value of a setting is in it. */
export interface ReloadReport {
  readonly result: ReloadResult;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Files that were read. */
  readonly files: readonly string[];
  /** Entries and keys that are different now. */
  readonly changes: readonly string[];
  /** Why everything stays as it was. */
  readonly problems: readonly string[];
}

/** As above, for everything that is read again on request. */
export interface FullReport extends ReloadReport {
  /** What came of files that are followed on their own: the certificate, and the access file and those that it names. */
  readonly others: readonly string[];
  /** Other workers that have read their files again; absent without any. */
  readonly workers?: number;
}

/** The server, as far as it follows the files. */
export interface ReloadTarget {
  readonly read: () => Reading;
  /** What the server cannot change to while it runs. @throws Error when that cannot be told */
  readonly check: (settings: FollowedSettings) => Promise<readonly string[]>;
  /** Changes the server to settings that are valid. @returns what has changed */
  readonly apply: (settings: FollowedSettings) => Promise<readonly string[]>;
  /** Read files that are followed on their own. They say what came of it, and never reject. */
  readonly others: readonly (() => string | Promise<string>)[];
}

/**
 * Lets the server follow the upstream file, the webhooks file and those that these name. They are read together and are
 * valid together, or everything stays as it was.
 */
@Injectable()
export class Reloads implements OnApplicationShutdown {
  readonly counts: Record<ReloadResult, number> = { applied: 0, unchanged: 0, rejected: 0 };
  private readonly logger = new Logger('Configuration');
  private target: ReloadTarget | undefined;
  private marks: FileMarks = new Map();
  private rejection: { readonly problems: readonly string[]; readonly since: number } | undefined;
  private report: ReloadReport | undefined;
  private usedSince: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private finding: Promise<FileMarks> | undefined;
  private isLooking = false;
  /** Since when the automatic looks have found files being written, monotonic. */
  private writingSince: number | undefined;
  private readonly listeners: ((settings: FollowedSettings) => void)[] = [];
  /** Has the other workers read their files; resolves with how many did. */
  private reloadOthers: (() => Promise<number>) | undefined;
  /** One reload after another. */
  private running: Promise<unknown> = Promise.resolve();

  constructor(@Inject(Clock) private readonly clock: Clock) {}

  /** Why newer content is not in use, and since when. */
  get rejected(): { readonly problems: readonly string[]; readonly since: number } | undefined {
    return this.rejection;
  }

  /** For administrators: which files are followed, what is wrong with them, and what came of the last time. */
  get status(): object {
    return { files: this.files, rejected: this.rejection ?? null, last: this.report ?? null };
  }

  /** When the content in use was read, in milliseconds since 1970; undefined if nothing is followed. */
  get readAt(): number | undefined {
    return this.files.length === 0 ? undefined : this.usedSince;
  }

  /** Paths of the files that are followed. */
  get files(): readonly string[] {
    return [...this.marks.keys()];
  }

  /** @param marks of the files as they were read at the start; without any, nothing is followed */
  follow(target: ReloadTarget, marks: FileMarks): void {
    this.target = target;
    this.marks = marks;
    this.usedSince = this.clock.now();
    if (marks.size > 0) this.timer = setInterval(() => void this.look(), lookInterval).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
    this.target = undefined;
  }

  /** @param listener gets the settings after each change */
  onChange(listener: (settings: FollowedSettings) => void): void {
    this.listeners.push(listener);
  }

  /** @param reloadOthers of several workers on one port */
  passOn(reloadOthers: () => Promise<number>): void {
    this.reloadOthers = reloadOthers;
  }

  /** Reads everything that can be read again, in all workers. Never rejects. */
  async reloadAll(): Promise<FullReport> {
    const [report, workers] = await Promise.all([this.reloadHere(), this.reloadOthers?.()]);
    return { ...report, ...(workers !== undefined && { workers }) };
  }

  /** Reads everything that can be read again in this process. Never rejects. */
  async reloadHere(): Promise<FullReport> {
    const others: string[] = [];
    for (const read of this.target?.others ?? []) others.push(await read());
    return { ...(await this.reload()), others };
  }

  /** Reads all files now, after a wait for those that are being written. Never rejects. */
  async reload(): Promise<ReloadReport> {
    return (await this.enqueue(restPatience)) ?? this.reject([writing]);
  }

  /** @param patience milliseconds to wait for files that are being written. @returns undefined if they still are */
  private enqueue(patience: number): Promise<ReloadReport | undefined> {
    const next = this.running.then(() => this.perform(patience));
    this.running = next;
    return next;
  }

  /** Reads them if one has changed. Never rejects. */
  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      const found = await this.find();
      if (found && areSame(found, this.marks)) this.writingSince = undefined;
      else this.noteWriting((await this.enqueue(0)) === undefined);
    } finally {
      this.isLooking = false;
    }
  }

  private noteWriting(isWriting: boolean): void {
    if (!isWriting) this.writingSince = undefined;
    else this.writingSince ??= this.clock.monotonic();
    if (this.writingSince === undefined || this.clock.monotonic() - this.writingSince < longestWriting) return;
    // Once.
    this.writingSince = Infinity;
    this.reject([writing]);
  }

  /** Reads until nothing has changed for a while after it: half a list is a valid list. */
  private async readAtRest(target: ReloadTarget, patience: number): Promise<Reading | undefined> {
    const deadline = performance.now() + patience;
    do {
      const reading = target.read();
      if (areSame(reading.marks, this.marks)) return reading;
      await sleep(restTime, undefined, { ref: false });
      const again = await inTime(marksOf(reading.marks.keys()));
      if (again && areSame(again, reading.marks)) return reading;
    } while (performance.now() < deadline);
    return undefined;
  }

  /** Undefined when the files did not respond in time. */
  private find(): Promise<FileMarks | undefined> {
    // One at a time: a look at a file system that hangs occupies a thread.
    this.finding ??= marksOf(this.marks.keys()).finally(() => (this.finding = undefined));
    return inTime(this.finding);
  }

  private async perform(patience: number): Promise<ReloadReport | undefined> {
    const { target } = this;
    if (!target || this.marks.size === 0) return this.finish('unchanged', [], []);
    // What does not respond now would keep the process waiting.
    if (!(await this.find())) return this.reject([`the files did not respond within ${lookTimeout / 1000} s`]);
    try {
      const reading = await this.readAtRest(target, patience);
      if (!reading) return undefined;
      if (this.target !== target) return this.finish('unchanged', [], []);
      const { settings, problems, marks } = reading;
      this.marks = marks;
      if (!settings) return this.reject(problems.map(lineOf));
      const reasons = await target.check(settings);
      if (reasons.length > 0) return this.reject(reasons);
      const changes = await target.apply(settings);
      if (changes.length > 0) for (const listener of this.listeners) listener(settings);
      return this.accept(changes);
    } catch (error) {
      return this.reject([error instanceof Error ? error.message : 'unknown error']);
    }
  }

  private accept(changes: readonly string[]): ReloadReport {
    if (changes.length > 0) this.logger.log(`the configuration has been read again: ${textOf(changes)}`);
    else if (this.rejection) this.logger.log('the files of the configuration have no mistake any more');
    this.rejection = undefined;
    this.usedSince = this.clock.now();
    return this.finish(changes.length > 0 ? 'applied' : 'unchanged', changes, []);
  }

  private reject(problems: readonly string[]): ReloadReport {
    const isKnown = this.rejection?.problems.join('\n') === problems.join('\n');
    this.rejection = { problems, since: this.rejection?.since ?? this.clock.now() };
    if (!isKnown) this.logger.error(`${textOf(problems)}; what was read before stays`);
    return this.finish('rejected', [], problems);
  }

  private finish(result: ReloadResult, changes: readonly string[], problems: readonly string[]): ReloadReport {
    this.counts[result] += 1;
    this.report = { result, at: this.clock.now(), files: this.files, changes, problems };
    return this.report;
  }
}

/** Undefined when a look takes too long; no timer is left behind. */
async function inTime<T>(look: Promise<T>): Promise<T | undefined> {
  const stopped = new AbortController();
  const late = sleep(lookTimeout, undefined, { ref: false, signal: stopped.signal }).catch(() => undefined);
  return Promise.race([look, late]).finally(() => stopped.abort());
}

/** In one line. */
export function textOf(texts: readonly string[]): string {
  const more = texts.length - longest;
  const shown = texts.slice(0, longest).map((text) => text.replaceAll('\n', '; '));
  return `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** What the log says of a request to read everything again, line by line. */
export function linesOf({ files, result, changes, problems, others }: FullReport): string[] {
  if (files.length === 0) return [...others];
  if (result === 'rejected')
    return [...others, `files of the configuration have mistakes, what was read before stays: ${textOf(problems)}`];
  const what = changes.length === 0 ? 'nothing is different' : textOf(changes);
  return [...others, `the configuration was read again from ${textOf(files).replaceAll('; ', ', ')}: ${what}`];
}
