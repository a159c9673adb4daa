import type { CircuitState } from './circuit.js';
import type { RateLimit } from './rate-limit.js';
import type { UpstreamCounts } from './upstream.counts.js';
import type { RequestKind, UpstreamHealth } from './upstream.health.js';
import type { Upstream } from '../upstream.js';

/** A configured namespace's upstream as experience has it. */
export interface UpstreamState {
  readonly namespace: string;
  readonly host: string;
  /** `open` while the upstream is known not to answer. */
  readonly circuit: CircuitState;
  /** Kinds of requests that it takes none of now. */
  readonly limited: readonly RequestKind[];
  /** Whether somebody waited too long for it a moment ago. */
  readonly isSlow: boolean;
  readonly rateLimit: RateLimit | undefined;
  /** Requests of ours that wait for a connection. */
  readonly waiting: number;
  readonly counts: UpstreamCounts;
}

export function stateOf({ id, base, counts }: Upstream, health: UpstreamHealth): UpstreamState {
  const { circuit, limited, isSlow, rateLimit, waiting } = health;
  return { namespace: id, host: base.host, circuit, limited, isSlow, rateLimit, waiting, counts };
}
