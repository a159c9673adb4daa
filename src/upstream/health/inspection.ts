import type { RepositoryRef } from '../../oci/repository.js';
import type { CredentialSet } from '../credentials/credential.set.js';
import type { Upstream } from '../upstream.js';
import type { Dispatcher } from './dispatcher.js';
import type { HeadSupport } from './head.support.js';
import type { LastResponse } from './last.responses.js';
import type { RateLimit } from './rate-limit.js';
import type { CircuitState } from './circuit.js';
import type { RequestKind } from './request.kind.js';
import type { Outcome } from './upstream.outcome.js';

/** Requests about manifests. */
type ManifestKind = Extract<RequestKind, 'manifest-head' | 'manifest-get'>;

/** Why requests of a kind are not sent now. */
export interface Pause {
  readonly method: 'GET' | 'HEAD';
  /** Names hosts and repositories only. */
  readonly reason: string;
  /** Seconds until one is sent again. */
  readonly retryAfter: number | undefined;
}

/** Which credentials a request would carry; never a secret. */
export interface CredentialUse {
  /** Key of the source in the upstream file. */
  readonly source: string;
  /** Patterns of the entry; empty for one that is for all other repositories. */
  readonly repositories: readonly string[];
  /** Whose credentials they are, as far as that is known. */
  readonly identities: readonly string[];
  /** Why the source fails, or the registry refuses them. */
  readonly problem: string | undefined;
}

/** The state of an upstream, as far as it matters to a request about one manifest. */
export interface UpstreamInspection {
  readonly upstream: Upstream;
  readonly host: string;
  /** Of the manifest, without the reference. */
  readonly base: string;
  readonly outcome: Outcome;
  readonly circuit: CircuitState;
  readonly pauses: readonly Pause[];
  readonly rateLimit: RateLimit | undefined;
  readonly isSlow: boolean;
  /** Requests that wait for a connection. */
  readonly waiting: number;
  /** Undefined while it is not known. */
  readonly supportsHead: boolean | undefined;
  readonly lastResponse: LastResponse | undefined;
  readonly credentials: CredentialUse | undefined;
  readonly fallbacks: readonly InspectedFallback[];
}

export interface InspectedFallback extends Pick<UpstreamInspection, 'host' | 'base' | 'outcome' | 'credentials'> {
  readonly isPaused: boolean;
}

interface Subject {
  readonly upstream: Upstream;
  readonly repository: RepositoryRef;
  /** Tag or digest. */
  readonly reference: string;
}

export function inspectUpstream(
  { upstream, repository, reference }: Subject,
  dispatcher: Dispatcher,
  heads: HeadSupport,
): UpstreamInspection {
  const { name } = repository;
  const health = dispatcher.healthOf(upstream);
  const { circuit, rateLimit, isSlow, waiting } = health;
  const pauses = (['manifest-head', 'manifest-get'] as const satisfies readonly ManifestKind[]).flatMap((kind) => {
    const error = health.pauseOf(kind, name);
    const method = kind === 'manifest-head' ? ('HEAD' as const) : ('GET' as const);
    return error ? [{ method, reason: error.message, retryAfter: error.retryAfter }] : [];
  });
  const fallbacks = upstream.fallbacks.map((each) => ({
    ...placeOf(each, name),
    outcome: dispatcher.outcomeOf(each).last,
    isPaused: dispatcher.healthOf(each).pauseOf('manifest-get', name) !== undefined,
  }));
  return {
    upstream,
    ...placeOf(upstream, name),
    outcome: dispatcher.outcomeOf(upstream).last,
    circuit,
    pauses,
    rateLimit,
    isSlow,
    waiting,
    supportsHead: heads.find(upstream, 'manifests'),
    lastResponse: dispatcher.lastResponses.find(repository, reference),
    fallbacks,
  };
}

function placeOf(upstream: Upstream, name: string): Pick<UpstreamInspection, 'host' | 'base' | 'credentials'> {
  const set = upstream.credentials.of(name);
  return {
    host: upstream.base.host,
    base: new URL(`/v2/${upstream.nameOf(name)}/manifests/`, upstream.base).href,
    credentials: set && useOf(set),
  };
}

function useOf(set: CredentialSet): CredentialUse {
  const { kind, options, repositories } = set.settings;
  const { identities, problem } = set.status;
  const configured = kind === 'static' ? [`user ${options.username}`] : [];
  return {
    source: kind,
    repositories,
    identities: identities.length > 0 ? identities : configured,
    problem: problem ?? set.state.refusal,
  };
}
