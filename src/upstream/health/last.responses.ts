import { LRUCache } from 'lru-cache';
import type { Clock } from '../../config/clock/clock.js';
import type { Namespace } from '../../oci/namespace.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { LocalLimitError, UpstreamError } from '../upstream-error.js';

/** Characters of all entries together, of two bytes at most. */
const maxCharacters = 256 * 1024;
/** What an entry takes beside its texts, counted as characters. */
const entryCost = 100;
const maxReason = 300;

/** How the last request about a manifest ended. */
export interface LastResponse {
  readonly method: 'GET' | 'HEAD';
  /** That responded, or did not. */
  readonly host: string;
  /** Undefined when there was no response. */
  readonly status: number | undefined;
  /** Why there was no response; names hosts and statuses only. */
  readonly reason: string | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What a request is about. */
export interface AskedManifest {
  readonly upstream: { readonly namespace: Namespace };
  /** Its name for clients. */
  readonly repository: string;
  readonly method: 'GET' | 'HEAD';
  /** Below the repository: `manifests/<reference>`; what is not about a manifest is not remembered. */
  readonly path: string;
}

/** The last response about each manifest that an upstream was asked for, of this process, within a bound. */
export class LastResponses {
  private readonly entries = new LRUCache<string, LastResponse>({
    maxSize: maxCharacters,
    sizeCalculation: ({ reason = '', host }, key) => entryCost + key.length + host.length + reason.length,
  });

  constructor(private readonly clock: Clock) {}

  noteResponse(asked: AskedManifest, host: string, status: number): void {
    this.note(asked, { host, status, reason: undefined });
  }

  noteFailure(asked: AskedManifest, host: string, error: unknown): void {
    // A limit of this process says nothing of the upstream.
    if (!(error instanceof UpstreamError) || error instanceof LocalLimitError) return;
    const { source, message } = error;
    this.note(asked, { host: source?.host ?? host, status: source?.status, reason: message.slice(0, maxReason) });
  }

  /** Does not count as a use. @param reference tag or digest */
  find(repository: RepositoryRef, reference: string): LastResponse | undefined {
    return this.entries.peek(`${repository.toString()} manifests/${reference}`);
  }

  private note(
    { upstream, repository, method, path }: AskedManifest,
    ended: Omit<LastResponse, 'method' | 'at'>,
  ): void {
    if (!path.startsWith('manifests/')) return;
    const key = `${upstream.namespace.toString()}/${repository} ${path}`;
    this.entries.set(key, { method, ...ended, at: this.clock.now() });
  }
}
