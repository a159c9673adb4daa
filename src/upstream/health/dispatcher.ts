import type { Clock } from '../../config/clock/clock.js';
import { discardBody } from '../transport/body.js';
import type { Question, RegistrySession } from '../sign-in/registry.session.js';
import { parseRetryAfter } from './retry-after.js';
import type { Exchange } from '../transport/transport.js';
import { errorOfStatus, UpstreamError } from '../upstream-error.js';
import { isOutage, UpstreamHealth, type RequestKind } from './upstream.health.js';
import type { Upstream } from '../upstream.js';

export interface DispatchedResponse extends Exchange {
  /** The fallback host that answered, when it was not the upstream's own. */
  readonly fallback: string | undefined;
}

/** Sends questions to an upstream within what its health allows, and to its fallbacks while it cannot answer. */
export class Dispatcher {
  private readonly healths = new WeakMap<Upstream, UpstreamHealth>();

  constructor(
    private readonly session: RegistrySession,
    private readonly clock: Clock,
  ) {}

  /** An answer with a status below 500 that is not 408 or 429 (501 is one, too). @throws UpstreamError */
  async ask(kind: RequestKind, question: Question): Promise<DispatchedResponse> {
    try {
      return { ...(await this.askHost(kind, question)), fallback: undefined };
    } catch (error) {
      if (!isOutage(error)) throw error;
      for (const upstream of question.upstream.fallbacks) {
        const response = await this.askFallback(kind, { ...question, upstream });
        if (response) return { ...response, fallback: upstream.base.host };
      }
      throw error;
    }
  }

  healthOf(upstream: Upstream): UpstreamHealth {
    const known = this.healths.get(upstream);
    if (known) return known;
    const health = new UpstreamHealth(upstream.base.host, upstream.settings.maxConnections, this.clock);
    this.healths.set(upstream, health);
    return health;
  }

  /** A fallback's refusals are not those of the registry: they count as no answer. */
  private async askFallback(kind: RequestKind, question: Question): Promise<Exchange | undefined> {
    try {
      const response = await this.askHost(kind, question);
      if (response.status < 400) return response;
      discardBody(response.body, response.headers['content-length']);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
    }
    return undefined;
  }

  private askHost(kind: RequestKind, question: Question): Promise<Exchange> {
    const health = this.healthOf(question.upstream);
    return health.run(kind, question.repository, async (release) => {
      const response = await this.session.ask(question);
      const { status, headers, body, host } = response;
      health.observe(headers);
      if (isFailure(status)) {
        discardBody(body, headers['content-length']);
        throw errorOfStatus(status, host, parseRetryAfter(headers['retry-after'], this.clock.now()));
      }
      // The connection is in use until the body has been read or given up.
      if (body.destroyed) release();
      else body.once('close', release);
      return response;
    });
  }
}

/** Not 501: it says that the method is not implemented, which is an answer. */
function isFailure(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501);
}
