import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation at its first size, as `--max-semi-space-size` would for those who can give it: under load
 * it would grow to 32 MiB and more, and stay, for objects that live for one request. The old generation may double before
 * it is collected: with less, the bytes of a download that passes through have it collected every few megabytes
 * (docs/performance.md). To be called before anything large is loaded.
 */
export function tuneHeap(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=100');
}
