import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Remainder } from '../../access/limits/budgets.js';
import type { Allotment, LimitKind } from '../../access/limits/rate.limits.js';
import { OciError } from '../../oci/error.js';

/** What a request counts as, and what has to be left for it. HEAD is free, as at Docker Hub. */
interface Demand {
  /** Counted once. */
  readonly uses?: LimitKind;
  readonly needs: readonly LimitKind[];
  /** Whether its bytes count. */
  readonly hasContent: boolean;
}

/** A refusal because a limit has been reached. */
export class LimitReached extends OciError {
  /** As in the access file. */
  readonly amount: string;

  constructor(
    readonly kind: LimitKind,
    { rate, seconds }: Remainder,
  ) {
    super('TOOMANYREQUESTS', `the limit of ${kind} has been reached: ${rate.text}`, { retryAfter: seconds });
    this.amount = rate.text;
  }
}

/**
 * Counts a request, and refuses it when nothing is left. What has begun is never cut: bytes count when the response has
 * ended, and decide about the next request.
 * @throws LimitReached
 */
export function applyLimits(allotment: Allotment, request: FastifyRequest, reply: FastifyReply): void {
  const { url } = request.routeOptions;
  const demand = demandOf(request.method, url ?? '');
  try {
    for (const kind of demand.needs) {
      const remainder = allotment.remainder(kind);
      if (remainder?.left === 0) throw new LimitReached(kind, remainder);
    }
    if (demand.uses) allotment.use(demand.uses, 1);
    if (demand.hasContent && allotment.counts('bytes')) countBytes(allotment, request, reply);
  } finally {
    if (url?.includes('/manifests/') === true) announce(allotment.remainder('pulls'), reply);
  }
}

function demandOf(method: string, url: string): Demand {
  const isManifest = url.includes('/manifests/');
  if (method === 'GET' && isManifest) return { uses: 'pulls', needs: ['pulls', 'bytes'], hasContent: true };
  if (method === 'PUT' && isManifest) return { uses: 'pushes', needs: ['pushes', 'bytes'], hasContent: true };
  // Whoever may push nothing more learns it before the layers.
  if (method === 'POST') return { needs: ['pushes', 'bytes'], hasContent: true };
  const hasContent = ['GET', 'PUT', 'PATCH'].includes(method);
  return { needs: hasContent ? ['bytes'] : [], hasContent };
}

function countBytes(allotment: Allotment, { raw: { socket } }: FastifyRequest, { raw }: FastifyReply): void {
  const { bytesRead, bytesWritten } = socket;
  raw.once('close', () => allotment.use('bytes', socket.bytesRead - bytesRead + socket.bytesWritten - bytesWritten));
}

/** As Docker Hub does, so that the tools that read it work here. */
function announce(remainder: Remainder | undefined, { raw }: FastifyReply): void {
  if (!remainder) return;
  const { rate, left } = remainder;
  const seconds = Math.round(rate.span / 1000);
  raw.setHeader('ratelimit-limit', `${rate.most};w=${seconds}`);
  raw.setHeader('ratelimit-remaining', `${left};w=${seconds}`);
}
