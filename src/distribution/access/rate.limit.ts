import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
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

/** What limits need to know of a request. */
export interface LimitedRequest {
  readonly method: string;
  /** Path of its route. */
  readonly route: string;
  readonly socket: Socket;
}

/** Whether a limit refuses a request; without counting it. */
export function isUsedUp(allotment: Allotment, { method, route }: Omit<LimitedRequest, 'socket'>): boolean {
  return demandOf(method, route).needs.some((kind) => allotment.remainder(kind)?.left === 0);
}

/**
 * Counts a request, and refuses it when nothing is left. What has begun is never cut: bytes count when the response has
 * ended, and decide about the next request.
 * @throws LimitReached
 */
export function applyLimits(allotment: Allotment, request: LimitedRequest, response: ServerResponse): void {
  const { method, route, socket } = request;
  const demand = demandOf(method, route);
  try {
    for (const kind of demand.needs) {
      const remainder = allotment.remainder(kind);
      if (remainder?.left === 0) throw new LimitReached(kind, remainder);
    }
    if (demand.uses) allotment.use(demand.uses, 1);
    if (demand.hasContent && allotment.counts('bytes')) countBytes(allotment, socket, response);
  } finally {
    if (route.includes('/manifests/')) announce(allotment.remainder('pulls'), response);
  }
}

function demandOf(method: string, route: string): Demand {
  const isManifest = route.includes('/manifests/');
  if (method === 'GET' && isManifest) return { uses: 'pulls', needs: ['pulls', 'bytes'], hasContent: true };
  if (method === 'PUT' && isManifest) return { uses: 'pushes', needs: ['pushes', 'bytes'], hasContent: true };
  // Whoever may push nothing more learns it before the layers.
  if (method === 'POST') return { needs: ['pushes', 'bytes'], hasContent: true };
  const hasContent = ['GET', 'PUT', 'PATCH'].includes(method);
  return { needs: hasContent ? ['bytes'] : [], hasContent };
}

function countBytes(allotment: Allotment, socket: Socket, response: ServerResponse): void {
  const { bytesRead, bytesWritten } = socket;
  response.once('close', () =>
    allotment.use('bytes', socket.bytesRead - bytesRead + socket.bytesWritten - bytesWritten),
  );
}

/** As Docker Hub does, so that the tools that read it work here. */
function announce(remainder: Remainder | undefined, response: ServerResponse): void {
  if (!remainder) return;
  const { rate, left } = remainder;
  const seconds = Math.round(rate.span / 1000);
  response.setHeader('ratelimit-limit', `${rate.most};w=${seconds}`);
  response.setHeader('ratelimit-remaining', `${left};w=${seconds}`);
}
