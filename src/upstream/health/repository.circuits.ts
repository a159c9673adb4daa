import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import type { Clock } from '../../config/clock/clock.js';
import { Circuit } from './circuit.js';
import type { RequestKind } from './request.kind.js';

/** Consecutive failures that open the circuit of a repository. */
const threshold = 3;
/** Maximum number of repositories with failures, per upstream. */
const maxCircuits = 200;

/** Endpoints of the distribution specification: HEAD and GET share one. */
const endpoints = {
  'manifest-head': 'manifests',
  'manifest-get': 'manifests',
  'blob-head': 'blobs',
  blob: 'blobs',
  'tag-list': 'tags',
  referrers: 'referrers',
} as const satisfies Record<RequestKind, string>;

/** What a failure of one repository is about, for messages and as a key. */
export function subjectOf(kind: RequestKind, repository: string): string {
  return `${endpoints[kind]} of ${repository}`;
}

/** Circuits of the repositories and endpoints that an upstream has failed for: the others are not affected. */
export class RepositoryCircuits {
  private readonly circuits = new LRUCache<string, Circuit>(atMost(maxCircuits));

  constructor(private readonly clock: Clock) {}

  /** Number of open circuits. */
  get open(): number {
    return [...this.circuits.values()].filter((circuit) => circuit.isOpen).length;
  }

  find(kind: RequestKind, repository: string): Circuit | undefined {
    return this.circuits.get(subjectOf(kind, repository));
  }

  /** The circuit for a failure. */
  get(kind: RequestKind, repository: string): Circuit {
    const known = this.find(kind, repository);
    if (known) return known;
    const { clock } = this;
    const isList = kind === 'tag-list' || kind === 'referrers';
    const circuit = new Circuit(isList ? 1 : threshold, clock);
    this.circuits.set(subjectOf(kind, repository), circuit);
    return circuit;
  }

  /** A response without a failure is all that a closed circuit would record. */
  remove(kind: RequestKind, repository: string): void {
    this.circuits.delete(subjectOf(kind, repository));
  }
}
