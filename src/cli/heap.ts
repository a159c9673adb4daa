import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation at its initial size, like `--max-semi-space-size`: under load it would grow to 32 MiB and
 * more for objects that live for one request, and never shrink. The old generation may double before it is collected:
 * with less, passing through a download triggers a collection every few megabytes (docs/performance.md). Call this before
 * loading anything large.
 */
export function tuneHeap(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=100');
}
