import { UpstreamError, type UpstreamErrorKind } from '../../upstream/upstream-error.js';

const kinds: ReadonlySet<UpstreamErrorKind> = new Set(['unauthorized', 'denied', 'wrong']);

/** Whether a failed HEAD may mean that the registry does not support HEAD: signed URLs return 403, others 401, 405. */
export function isHeadRefusal(error: unknown): boolean {
  return error instanceof UpstreamError && kinds.has(error.kind);
}
