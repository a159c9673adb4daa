import type { Clock } from '../../config/clock/clock.js';
import { restTime } from '../../config/files/file.rest.js';
import type { Secret } from '../../config/values/secret.js';
import {
  CredentialError,
  isSame,
  accountOf,
  type CredentialSource,
  type UpstreamCredentials,
} from './credential.source.js';
import { within } from './time-limit.js';

/** Milliseconds that a source may take. */
const fetchDeadline = 30_000;
/** Milliseconds that a look at files may take: they may be on a network. */
const lookDeadline = 10_000;
/** Milliseconds that a request with valid credentials waits for a look, and for what has changed. */
const patience = 2_000;
/** Milliseconds between looks at what a source reads, and between fetches that refusals cause. */
const lookInterval = 1_000;
const forcedInterval = 10_000;
/** Milliseconds after which credentials without a known end, or their absence, are fetched again. */
const unlimitedLife = 600_000;
const absenceLife = 60_000;
/** Shortest life in milliseconds that is assumed: the clock of this machine may be ahead. */
const shortestLife = 60_000;
/** Milliseconds before the end at which credentials are not used any more, at most a twentieth of their life. */
const margin = 5_000;
/** Milliseconds from a failure to the next attempt, doubled with each failure. */
const firstPause = 1_000;
const longestPause = 60_000;

/** What is in use. Times are on the monotonic clock, in milliseconds. */
interface Held {
  readonly credentials: UpstreamCredentials | undefined;
  readonly refreshAt: number;
  readonly expiresAt: number;
  /** On the wall clock: the monotonic one may stand still while a machine sleeps. */
  readonly endsAt: number;
}

interface Failure {
  readonly message: string;
  readonly retryAt: number;
  readonly pause: number;
}

/** Told of each attempt; never of a secret. */
export interface CredentialEvents {
  fetched(): void;
  /** @param isFirst after a success, or at all. @param isKept whether earlier credentials remain in use */
  failed(message: string, isFirst: boolean, isKept: boolean): void;
  /** The earlier ones have been refused, or are of another account. */
  replaced(isOtherAccount: boolean): void;
}

/**
 * The credentials of one source, fetched by one request for all who wait, at half of their life in the background, and
 * when what the source reads has changed. When that fails, the earlier ones are used until their end.
 */
export class RefreshedCredentials {
  private held: Held | undefined;
  private failure: Failure | undefined;
  /** Password of validated credentials that are not newer than those in use. */
  private outdated: Secret | undefined;
  private fetching: Promise<void> | undefined;
  private looking: Promise<boolean> | undefined;
  private following: Promise<void> | undefined;
  /** The source has kept somebody waiting for its files. */
  private isLate = false;
  private mark: string | undefined;
  private lookedAt = -Infinity;
  private forcedAt = -Infinity;
  private readonly stopping = new AbortController();

  /**
   * @param open the source, made when it is first needed. @param part of what the source has, as its `partOf` says.
   * @param validated the newest that the settings were read with, for use while the source has failed since
   */
  constructor(
    private readonly open: () => Promise<CredentialSource>,
    private readonly part: string,
    private readonly clock: Clock,
    private readonly events: CredentialEvents,
    private readonly validated: () => UpstreamCredentials | undefined = () => undefined,
  ) {}

  /** Those in use; undefined when there are none. */
  get current(): UpstreamCredentials | undefined {
    return this.held?.credentials;
  }

  get isEmpty(): boolean {
    return this.held !== undefined && this.held.credentials === undefined;
  }

  /** Why the last attempt failed. */
  get problem(): string | undefined {
    return this.failure?.message;
  }

  /** Ends the wait for the source, for good. */
  stop(): void {
    this.stopping.abort();
  }

  /** Valid credentials; undefined when the source has none. @throws CredentialError when there is nothing to use */
  async get(): Promise<UpstreamCredentials | undefined> {
    if (this.held) await this.follow(this.isValid(this.held));
    if (this.held && this.isValid(this.held)) {
      const isDue = this.failure !== undefined || this.clock.monotonic() >= this.held.refreshAt;
      if (isDue && this.mayTry) void this.fetch();
      return this.held.credentials;
    }
    if (this.fetching || this.mayTry || (await this.hasChanged(lookInterval))) await this.fetch();
    if (this.held && this.isValid(this.held)) return this.held.credentials;
    throw new CredentialError(this.failure?.message ?? 'has expired');
  }

  /**
   * Fetches again because the registry has refused what it was sent.
   * @returns whether there is something else now
   */
  async renew(refused: UpstreamCredentials | undefined): Promise<boolean> {
    // What has begun before may have read what was refused.
    await this.fetching;
    await this.looking;
    if (!this.isSame(refused)) return true;
    const isChanged = await this.hasChanged(0);
    const now = this.clock.monotonic();
    const isFirst = this.fetching === undefined;
    // A right that is missing at one repository must not have the cloud asked at each pull.
    if (!isChanged && isFirst && (now - this.forcedAt < forcedInterval || !this.mayTry)) return false;
    if (!isChanged) this.forcedAt = now;
    await this.fetch();
    if (this.isSame(refused)) return false;
    if (isFirst) this.events.replaced(false);
    return true;
  }

  /** Fetches again when what the source reads has changed. With valid credentials nobody waits long for that. */
  private async follow(hasValid: boolean): Promise<void> {
    if (!this.following && this.clock.monotonic() - this.lookedAt < lookInterval) return;
    this.following ??= this.fetchChanged(hasValid).finally(() => {
      this.following = undefined;
      this.isLate = false;
    });
    if (!hasValid) return this.following;
    if (this.isLate) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => resolve(void (this.isLate = true)), patience);
    });
    return Promise.race([this.following, late]).finally(() => clearTimeout(timer));
  }

  private async fetchChanged(hasValid: boolean): Promise<void> {
    if (!(await this.hasChanged(lookInterval))) return;
    if (!hasValid || (await this.isResting())) return this.fetch();
    this.lookedAt -= lookInterval - restTime;
  }

  /** Whether what the source reads is not being written. Never throws. */
  private async isResting(): Promise<boolean> {
    const isResting = async () => (await (await this.open()).isResting?.()) ?? true;
    return within(lookDeadline, isResting).catch(() => true);
  }

  private isSame(credentials: UpstreamCredentials | undefined): boolean {
    return this.held !== undefined && isSame(this.held.credentials, credentials);
  }

  private get mayTry(): boolean {
    return this.failure === undefined || this.clock.monotonic() >= this.failure.retryAt;
  }

  private isValid({ expiresAt, endsAt }: Held): boolean {
    return this.clock.monotonic() < expiresAt && this.clock.now() < endsAt;
  }

  /** Whether what the source reads is another than that of the last attempt. Never throws. @param interval of looks */
  private hasChanged(interval: number): Promise<boolean> {
    if (this.looking) return this.looking;
    if (this.mark === undefined || this.clock.monotonic() - this.lookedAt < interval) return Promise.resolve(false);
    this.looking = this.look().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async look(): Promise<boolean> {
    const mark = await this.readMark();
    this.lookedAt = this.clock.monotonic();
    return mark !== this.mark;
  }

  private async readMark(): Promise<string | undefined> {
    try {
      const source = await this.open();
      return await within(lookDeadline, () => source.mark?.() ?? Promise.resolve(undefined));
    } catch {
      return 'unreadable';
    }
  }

  /** Never throws: `failure` says what came of it. */
  private fetch(): Promise<void> {
    this.fetching ??= this.load().finally(() => (this.fetching = undefined));
    return this.fetching;
  }

  private async load(): Promise<void> {
    try {
      const source = await this.open();
      // Before the content: a change in between is then seen at the next look.
      this.mark = await this.readMark();
      this.lookedAt = this.clock.monotonic();
      const credentials = await within(
        fetchDeadline,
        (signal) => source.fetch(signal, this.part),
        this.stopping.signal,
      );
      const isOther = this.held !== undefined && accountOf(this.held.credentials) !== accountOf(credentials);
      this.held = this.hold(credentials);
      this.failure = undefined;
      this.outdated = this.validated()?.password;
      this.events.fetched();
      if (isOther) this.events.replaced(true);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      this.takeValidated();
      this.fail(messageOf(error));
    }
  }

  private takeValidated(): void {
    const credentials = this.validated();
    if (credentials === undefined || credentials.password === this.outdated) return;
    this.held = this.hold(credentials);
    this.outdated = credentials.password;
  }

  private hold(credentials: UpstreamCredentials | undefined): Held {
    const [monotonic, wall] = [this.clock.monotonic(), this.clock.now()];
    const end = credentials?.expiresAt;
    // Not all at once: replicas that started together would ask together.
    const share = 0.45 + Math.random() * 0.1;
    if (end === undefined) {
      const life = credentials === undefined ? absenceLife : unlimitedLife;
      return { credentials, refreshAt: monotonic + 2 * share * life, expiresAt: Infinity, endsAt: Infinity };
    }
    const isPast = end <= wall;
    const life = isPast ? shortestLife : end - wall;
    const left = life - Math.min(margin, life / 20);
    const endsAt = isPast ? Infinity : wall + left;
    return { credentials, refreshAt: monotonic + share * life, expiresAt: monotonic + left, endsAt };
  }

  private fail(message: string): void {
    const pause = Math.min(longestPause, this.failure === undefined ? firstPause : this.failure.pause * 2);
    const isFirst = this.failure === undefined;
    this.failure = { message, pause, retryAt: this.clock.monotonic() + pause * (0.8 + Math.random() * 0.4) };
    this.events.failed(message, isFirst, this.held !== undefined && this.isValid(this.held));
  }
}

/** Only messages of sources are known to have no secret. */
function messageOf(error: unknown): string {
  if (error instanceof CredentialError) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unexpected error';
  return `cannot be used (${code})`;
}
