import { UpstreamError, type UpstreamErrorKind } from '../../upstream/upstream-error.js';

const kinds: ReadonlySet<UpstreamErrorKind> = new Set(['unauthorized', 'denied', 'wrong']);

/** Whether a failed HEAD may only mean that the registry does not do HEAD: signed URLs answer 403, others 401 or 405. */
export function isHeadRefusal(error: unknown): boolean {
  return error instanceof UpstreamError && kinds.has(error.kind);
}
