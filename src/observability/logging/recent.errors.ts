import type { FastifyRequest } from 'fastify';
import { pathOf } from './request.path.js';

/** A request that this server could not serve, or refused because there were too many. */
export interface RecentError {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Of the request, as in the log. */
  readonly id: string;
  readonly method: string;
  /** `<namespace>/<name>`; undefined for requests about none. */
  readonly repository: string | undefined;
  /** Tag, digest or upload session; the path of a request about no repository. */
  readonly about: string;
  readonly status: number;
  /** What the client was told. */
  readonly message: string | undefined;
}

const most = 50;
/** Characters of a text. */
const longest = 300;

/** The last errors, without headers and queries, which may hold secrets. Bounded. */
export class RecentErrors {
  private readonly errors: RecentError[] = [];

  /** Newest first. */
  get all(): readonly RecentError[] {
    return this.errors.toReversed();
  }

  add(request: FastifyRequest, status: number, at: number): void {
    const { repository, reference, digest, id } = (request.params ?? {}) as Partial<Record<string, string>>;
    const { refusal } = request as FastifyRequest & { readonly refusal?: unknown };
    if (this.errors.length === most) this.errors.shift();
    this.errors.push({
      at,
      id: request.id,
      method: request.method,
      repository: repository?.slice(0, longest),
      about: (repository === undefined ? pathOf(request.originalUrl) : (reference ?? digest ?? id ?? '')).slice(
        0,
        longest,
      ),
      status,
      message: typeof refusal === 'string' ? refusal.slice(0, longest) : undefined,
    });
  }
}
