import type { Clock } from '../../../config/clock/clock.js';
import type { CloudSteps } from './cloud.steps.js';

/** An access token of Google. */
export interface GoogleToken {
  readonly token: string;
  /** In milliseconds since 1970. */
  readonly expiresAt: number;
  /** Whose it is, for operators. */
  readonly identity: string;
}

/** What every recipe needs. */
export interface GoogleRequest {
  readonly steps: CloudSteps;
  readonly clock: Clock;
  readonly scopes: readonly string[];
  /** Further hosts that a file may name. */
  readonly tokenHosts: readonly string[];
  readonly signal: AbortSignal;
}

/** The scope that other libraries request: what an identity may do is decided by its roles. */
export const defaultScope = 'https://www.googleapis.com/auth/cloud-platform';

export function scopesOf({ scopes }: GoogleRequest): readonly string[] {
  return scopes.length === 0 ? [defaultScope] : scopes;
}
