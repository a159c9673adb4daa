import type { CredentialSetState } from '../credentials/credential.set.js';
import type { CircuitState } from './circuit.js';
import type { RateLimit } from './rate-limit.js';
import type { UpstreamCounts } from './upstream.counts.js';
import type { RequestKind, UpstreamHealth } from './upstream.health.js';
import type { Outcome } from './upstream.outcome.js';
import type { Upstream } from '../upstream.js';

/** Health of a configured namespace's upstream, for metrics and the status page. */
export interface UpstreamState {
  readonly namespace: string;
  readonly host: string;
  /** How the last request ended. */
  readonly outcome: Outcome;
  readonly fallbacks: readonly { readonly host: string; readonly outcome: Outcome }[];
  /** `open` while the upstream is known to be unavailable. */
  readonly circuit: CircuitState;
  /** Repositories for which requests are paused, at most 200; each endpoint counts. */
  readonly failingRepositories: number;
  /** Kinds of requests that are currently rate-limited. */
  readonly limited: readonly RequestKind[];
  /** Whether a request recently waited too long. */
  readonly isSlow: boolean;
  readonly rateLimit: RateLimit | undefined;
  /** Requests that wait for a connection. */
  readonly waiting: number;
  readonly counts: UpstreamCounts;
  /** Sources of credentials, those of fallbacks included. */
  readonly credentials: readonly CredentialSetState[];
}

export function stateOf(
  upstream: Upstream,
  health: UpstreamHealth,
  outcomeOf: (upstream: Upstream) => Outcome,
): UpstreamState {
  const { id, base, counts, fallbacks } = upstream;
  const { circuit, failingRepositories, limited, isSlow, rateLimit, waiting } = health;
  return {
    namespace: id,
    host: base.host,
    outcome: outcomeOf(upstream),
    fallbacks: fallbacks.map((fallback) => ({ host: fallback.base.host, outcome: outcomeOf(fallback) })),
    circuit,
    failingRepositories,
    limited,
    isSlow,
    rateLimit,
    waiting,
    counts,
    credentials: [upstream, ...fallbacks].flatMap((each) => each.credentials.states),
  };
}
