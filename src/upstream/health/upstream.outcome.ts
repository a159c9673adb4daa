import { Logger } from '@nestjs/common';
import type { Clock } from '../../config/clock/clock.js';
import { CredentialsUnavailableError, LocalLimitError, UpstreamError } from '../upstream-error.js';
import type { CredentialState } from '../sign-in/credential-state.js';
import type { Upstream } from '../upstream.js';
import type { RequestKind } from './upstream.health.js';

/** Milliseconds between two warnings about the credentials of one host, whose responses may contradict each other. */
const warningInterval = 600_000;

const lists: ReadonlySet<RequestKind> = new Set(['tag-list', 'referrers']);
const heads: ReadonlySet<RequestKind> = new Set(['manifest-head', 'blob-head']);

export type Condition = 'not-contacted' | 'up' | 'degraded' | 'credentials-refused';

/** How the last request to an upstream host ended. */
export interface Outcome {
  readonly condition: Condition;
  /** What is wrong. Names hosts and statuses only. */
  readonly reason?: string | undefined;
  /** When the condition began, in milliseconds since 1970; undefined before the first request. */
  readonly since?: number;
}

/** What was requested of an upstream. */
interface Asked {
  readonly kind: RequestKind;
  readonly repository: string;
}

/** Whether the log says that credentials are refused, and when it did last. */
interface Warning {
  isWarned: boolean;
  warnedAt: number;
}

/** Remembers how the last request to one host ended, and logs when its credentials become refused or accepted. */
export class UpstreamOutcome {
  private readonly logger = new Logger('Upstream');
  private outcome: Outcome = { condition: 'not-contacted' };
  private readonly warnings = new WeakMap<CredentialState, Warning>();

  constructor(
    private readonly upstream: Upstream,
    private readonly clock: Clock,
  ) {}

  get last(): Outcome {
    return this.outcome;
  }

  /** @param host that responded, after redirects. */
  noteResponse({ kind, repository }: Asked, status: number, host: string): void {
    const reason = `${host} responded with ${status}`;
    const isRefusal = status === 401 || status === 403;
    if (status < 400 || status === 404 || status === 410) this.noteSuccess(repository);
    // A download server that refuses what the registry has granted is a failure: it never receives credentials.
    else if (isRefusal && host === this.upstream.base.host) this.noteRefusal(repository, reason);
    else if (isRefusal || !isUnsupported(kind, status)) this.set('degraded', reason);
    this.reportCredentials(repository);
  }

  /** There was no response, or none of use. */
  noteFailure({ repository }: Asked, error: unknown): void {
    if (!(error instanceof UpstreamError)) return;
    const { kind, message } = error;
    if (error instanceof CredentialsUnavailableError) this.set('degraded', message);
    if (error instanceof LocalLimitError) return;
    if (kind === 'unauthorized' || kind === 'denied') this.noteRefusal(repository, message);
    else if (kind === 'missing') this.noteSuccess(repository);
    else this.set('degraded', message);
    this.reportCredentials(repository);
  }

  private noteSuccess(repository: string): void {
    const state = this.upstream.credentialStateOf(repository);
    // With credentials, only responses to requests that carried them count: this one may have required none.
    if (!this.hasCredentials(repository)) state.noteAccepted();
    const { refusal } = state;
    this.set(refusal === undefined ? 'up' : 'credentials-refused', refusal);
  }

  private noteRefusal(repository: string, reason: string): void {
    const state = this.upstream.credentialStateOf(repository);
    const hasCredentials = this.hasCredentials(repository);
    state.noteDenied(repository, reason);
    const { refusal } = state;
    if (refusal !== undefined) this.set(hasCredentials ? 'credentials-refused' : 'degraded', refusal);
    else if (hasCredentials) this.set('degraded', reason);
    // Without credentials, a refusal of one repository says that the registry works.
    else this.set('up');
  }

  private hasCredentials(repository: string): boolean {
    return this.upstream.credentials.of(repository)?.isEmpty === false;
  }

  private set(condition: Condition, reason?: string): void {
    const { last } = this;
    const since = last.condition === condition ? (last.since ?? this.clock.now()) : this.clock.now();
    this.outcome = { condition, reason, since };
  }

  /** One line per change; fewer if the responses contradict each other. */
  private reportCredentials(repository: string): void {
    const state = this.upstream.credentialStateOf(repository);
    const { refusal } = state;
    const warning = this.warnings.get(state) ?? { isWarned: false, warnedAt: -Infinity };
    if (!this.hasCredentials(repository) || (refusal !== undefined) === warning.isWarned) return;
    const now = this.clock.monotonic();
    const name = `${this.upstream.id}${this.scopeOf(repository)}`;
    if (refusal === undefined) this.logger.log(`${name} accepts the configured credentials again`);
    else if (now - warning.warnedAt < warningInterval) return;
    else this.logger.warn(`${name}: the configured credentials are refused: ${refusal}`);
    const isWarned = refusal !== undefined;
    this.warnings.set(state, { isWarned, warnedAt: isWarned ? now : warning.warnedAt });
  }

  /** The repositories that the credentials are for, unless they are for all. */
  private scopeOf(repository: string): string {
    const patterns = this.upstream.credentials.of(repository)?.settings.repositories ?? [];
    return patterns.length === 0 ? '' : ` (${patterns.slice(0, 5).join(', ')})`;
  }
}

/** Some registries lack lists or HEAD, and respond to them with all kinds of errors. */
function isUnsupported(kind: RequestKind, status: number): boolean {
  if (status === 407 || status === 429) return false;
  return lists.has(kind) || (heads.has(kind) && status !== 408 && (status < 500 || status === 501));
}
