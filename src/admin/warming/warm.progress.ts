import { OciError } from '../../oci/error.js';
import type { Entry } from '../image-content.js';

/** Milliseconds between two events while nothing but bytes change. Clients may take a longer silence for a lost server. */
const interval = 500;

interface Counted {
  readonly done: number;
  readonly total: number;
}

/** One line of the answer. An image has one series for each of its platforms. */
export interface WarmEvent {
  readonly image: string;
  readonly platform?: string;
  readonly state: 'pulling' | 'done' | 'failed';
  readonly blobs: Counted;
  /** The total is what the manifest says. */
  readonly bytes: Counted;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Takes an event, and waits until whoever asked has it. @throws when they have left */
export type Report = (event: WarmEvent) => Promise<void>;

/** How far an image of one platform has been pulled. */
export class WarmProgress {
  private readonly bytes: number;
  private doneBytes = 0;
  private doneBlobs = 0;

  constructor(
    private readonly image: string,
    private readonly platform: string | undefined,
    private readonly entries: readonly Entry[],
  ) {
    this.bytes = entries.reduce((sum, { size }) => sum + size, 0);
  }

  add(bytes: number): void {
    this.doneBytes += bytes;
  }

  /** Another blob is here. */
  finish(): void {
    this.doneBlobs += 1;
  }

  event(state: WarmEvent['state']): WarmEvent {
    const { image, platform } = this;
    return {
      image,
      ...(platform !== undefined && { platform }),
      state,
      blobs: { done: this.doneBlobs, total: this.entries.length },
      bytes: { done: this.doneBytes, total: Math.max(this.bytes, this.doneBytes) },
    };
  }

  /** Only what is meant for clients is told; anything else is a fault of ours. */
  failed(error: unknown): WarmEvent {
    const { code, message } = error instanceof OciError ? error : new OciError('UNKNOWN');
    return { ...this.event('failed'), error: { code, message } };
  }

  /** Reports again and again, one event at a time. @returns stops it, and waits for the last one */
  tick(report: Report): () => Promise<void> {
    let reporting: Promise<void> | undefined;
    const timer = setInterval(() => {
      reporting ??= report(this.event('pulling'))
        // Who has left is noticed by what they asked for.
        .catch(() => undefined)
        .finally(() => (reporting = undefined));
    }, interval);
    return async () => {
      clearInterval(timer);
      await reporting;
    };
  }
}
