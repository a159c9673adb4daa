import { OciError } from '../../oci/error.js';
import type { Entry } from '../../oci/manifests/image-content.js';

/** Milliseconds between events while only byte counts change; clients may take a longer silence for a dead server. */
const interval = 500;

interface Counted {
  readonly done: number;
  readonly total: number;
}

/** One line of the response. An image has a series of events for each of its platforms. */
export interface WarmEvent {
  readonly image: string;
  readonly platform?: string;
  readonly state: 'pulling' | 'done' | 'failed';
  readonly blobs: Counted;
  /** The total is from the manifest. */
  readonly bytes: Counted;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Sends an event and waits until the client has it. @throws when the client has left */
export type Report = (event: WarmEvent) => Promise<void>;

/** Progress of an image of one platform. */
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

  /** One more blob is complete. */
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

  /** Only errors meant for clients are reported; anything else is a fault of the program. */
  failed(error: unknown): WarmEvent {
    const { code, message } = error instanceof OciError ? error : new OciError('UNKNOWN');
    return { ...this.event('failed'), error: { code, message } };
  }

  /** Reports at intervals, one event at a time. @returns a function that stops it and waits for the last report */
  tick(report: Report): () => Promise<void> {
    let reporting: Promise<void> | undefined;
    const timer = setInterval(() => {
      reporting ??= report(this.event('pulling'))
        // The pull itself notices that the client has left.
        .catch(() => undefined)
        .finally(() => (reporting = undefined));
    }, interval);
    return async () => {
      clearInterval(timer);
      await reporting;
    };
  }
}
