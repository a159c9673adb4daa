import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation at its first size, as `--max-semi-space-size` would for those who can give it: under load
 * it would grow to 32 MiB and more, and stay, for objects that live for one request (docs/performance.md). To be called
 * before anything large is loaded.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
