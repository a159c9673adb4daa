import { HeadRefusedError, UpstreamError, type UpstreamErrorKind } from '../../upstream/upstream-error.js';

const kinds: ReadonlySet<UpstreamErrorKind> = new Set(['unauthorized', 'denied', 'wrong']);

/** Whether a failed HEAD may mean that the registry does not support HEAD, so that only a GET can tell. */
export function isHeadRefusal(error: unknown): boolean {
  return error instanceof HeadRefusedError || (error instanceof UpstreamError && kinds.has(error.kind));
}
